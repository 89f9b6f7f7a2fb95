# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Clusters of real nodes for tests: processes on 127.0.0.1, 127.0.0.2 and on, all at one port, with wires between them
that a test may cut or slow down, and what each node holds read through the nodes' own protocol.

Owned by the test; the wires run on a thread of their own.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import ssl
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from http.client import HTTPException
from pathlib import Path
from threading import Event, Thread
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

import msgspec
from msgspec import msgpack

from loadstats.ledger import BUCKETS, RequestCopy
from replication.buckets import Want
from replication.entities import Summary
from replication.entities.requests import ReplicatedRequests
from replication.paths import VERSION
from tests.nodes import CALL_SECONDS, ROOT, START_SECONDS, NodeProcess, put_accounts
from tests.ports import free_port

SECONDS = START_SECONDS
DIAL_SECONDS = 0.5  # a node waits as long for a connection to another
ResultT = TypeVar("ResultT")


def wait(condition: Callable[[], ResultT], what: str, seconds: float = SECONDS) -> ResultT:
    """The condition's first true result. A node that is down for the moment answers nothing: that is not true yet.

    It looks less and less often, up to twenty times a second: to ask takes time that the nodes could use.
    """
    end = time.monotonic() + seconds
    pause = 0.005
    while True:
        found = None
        with contextlib.suppress(OSError, HTTPException, msgspec.DecodeError):
            found = condition()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds:g} s: {what}")
        time.sleep(pause)  # between two looks, not in place of one
        pause = min(pause * 1.25, 0.05)


class Live(NamedTuple):
    """A request that is not over, as a node holds it. `phase` is 0 until its first token."""

    cluster: str
    ip: str
    prompt_length: int
    phase: int


class ClusterNode:
    """One place in the cluster, with one process after the other in it."""

    def __init__(self, folder: Path, address: str, port: int, environment: dict[str, str]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self.address = address
        self.port = port
        self.source = ROOT  # the checkout that the next process runs
        self.listed = True  # a balancer sends gateways' calls here
        self.tls: ssl.SSLContext | None = None  # what the test calls it with
        self._environment = {
            "POD_IP": address,
            "METADATA_CENTER_HTTP_HOST": address,
            "METADATA_CENTER_HTTP_PORT": str(port),
            "METADATA_CENTER_PPROF_ENABLE": "false",
            "METADATA_CENTER_LOG_ACCESS_OUTPUT": "off",
            "METADATA_CENTER_HTTP_DRAIN_TIMEOUT": "3s",
            "REPLICA_CLIENT_TARGET_PORT": str(port),
            # Ready is to have caught up, and not that a busy machine was slow at it.
            "METADATA_CENTER_REPLICATION_JOIN_TIMEOUT": "2m",
            **environment,
        }
        self.process: NodeProcess | None = None

    def set(self, **environment: str) -> None:
        """Start it with these settings from now on."""
        self._environment |= environment

    def start(self, **environment: str) -> None:
        if self.source == ROOT:  # another release migrates to what it knows
            put_accounts(self._folder)
        self.process = NodeProcess(
            ["manage.py", "run"], self._folder, self._environment | environment, covered=False, source=self.source
        )
        self.process.host, self.process.port, self.process.tls = self.address, self.port, self.tls

    def stop(self) -> None:
        """End it the friendly way."""
        if self.process is not None:
            self.signal(signal.SIGCONT)
            self.process.stop()
            self.process = None

    def kill(self) -> None:
        """End it as a power cut does."""
        assert self.process is not None
        self.process.stop(signal.SIGKILL)
        self.process = None

    def signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        if self.process.process.poll() is None:
            self.process.process.send_signal(number)

    def call(self, method: str, target: str, body: Any = None, headers: dict[str, str] | None = None) -> bytes:
        """The body of an answer, which must be 200."""
        if self.process is None:
            raise ConnectionRefusedError
        status, _, answer = self.process.call(method, target, body, headers)
        assert status == 200, (target, status, answer)
        return answer

    def add(self, request_id: str, cluster: str = "c", ip: str = "10.0.0.1", prompt_length: int = 5) -> None:
        self.call(
            "POST",
            "/v1/load/stats",
            {"cluster": cluster, "request_id": request_id, "ip": ip, "prompt_length": prompt_length},
        )

    def first_token(self, request_id: str) -> None:
        self.call("DELETE", "/v1/load/prompt", {"request_id": request_id})

    def done(self, request_id: str) -> None:
        self.call("DELETE", "/v1/load/stats", {"request_id": request_id})

    def ready(self) -> bool:
        return self.process is not None and self.process.call("GET", "/readyz")[0] == 200

    def peers(self) -> list[dict[str, Any]]:
        """What it says of its peers."""
        found: list[dict[str, Any]] = self.status()["peers"]
        return found

    def status(self) -> dict[str, Any]:
        answer = msgspec.json.decode(self.call("GET", "/v1/replica/peers"))
        found: dict[str, Any] = answer.get("data", answer)
        return found

    def summary(self) -> Summary:
        return msgpack.decode(self.call("POST", "/v1/replica/summary", b""), type=Summary)

    def live(self, prefix: str = "") -> dict[str, Live]:
        """All requests that are not over and whose ids begin so."""
        return {
            request_id: Live(copy.cluster, copy.engine, copy.prompt_length, copy.phase)
            for request_id, copy in self.copies().items()
            if request_id.startswith(prefix)
        }

    def copies(self) -> dict[str, RequestCopy]:
        """All requests that are not over, as they travel, without what grows with time."""
        found = {}
        wanted = list(range(BUCKETS))
        while wanted:
            packed = self.call("POST", "/v1/replica/state", msgpack.encode(Want(VERSION, wanted)))
            state = ReplicatedRequests.layout.read_state(zlib.decompress(packed))
            wanted = wanted[len(state.buckets) :]
            for _, copies in state.buckets:
                for copy in copies:
                    if copy.cluster and copy.phase < 2:
                        found[copy.request_id] = msgspec.structs.replace(copy, remaining_seconds=0, age_seconds=0)
        return found

    def many(self, requests: Iterable[tuple[str, str, dict[str, Any]]]) -> None:
        """Calls in great number, pipelined on one connection. All must be answered with 200."""
        wires = []
        for method, target, body in requests:
            encoded = msgspec.json.encode(body)
            wires.append(
                b"%b %b HTTP/1.1\r\nHost: n\r\nContent-Length: %d\r\n\r\n%b"
                % (method.encode(), target.encode(), len(encoded), encoded)
            )
        with socket.create_connection((self.address, self.port), CALL_SECONDS) as connection:
            for at in range(0, len(wires), 100):
                part = wires[at : at + 100]
                connection.sendall(b"".join(part))
                answers = b""
                while answers.count(b"HTTP/1.1 ") < len(part) or not answers.endswith(b"}"):
                    got = connection.recv(1 << 20)
                    assert got, "hung up"
                    answers += got
                assert answers.count(b"HTTP/1.1 200 ") == len(part), answers[:500]

    def wait_said(self, text: str) -> None:
        """Wait until its output has this text. What a node has done and what it says of it come on two ways."""
        wait(lambda: text in self.output(), f"{text!r} in its output")

    def output(self) -> str:
        return "" if self.process is None else "".join(self.process.output)


class Wire:
    """A TCP proxy to one node. Cut, it is a firewall that drops: connections that were open are dead for ever, though
    neither side is told, and new ones fail after as long as a node waits for one, even where it heals meanwhile.
    """

    def __init__(self, target: tuple[str, int]) -> None:
        self._target = target
        self.port = 0
        self.delay_seconds = 0.0  # of each piece of bytes
        self.seen_from = ""  # the address that the node sees, as behind address translation; empty: any of loopback
        self.recorded: bytearray | None = None  # what was carried to the node, where the test asks for it
        self._whole = True
        self._cuts = 0
        self._open: set[asyncio.StreamWriter] = set()

    def cut(self) -> None:
        self._whole = False
        self._cuts += 1

    def heal(self) -> None:
        self.delay_seconds = 0.0
        self._whole = True

    async def serve(self) -> asyncio.Server:
        server = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        return server

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        cuts = self._cuts
        try:
            if not self._whole:
                await asyncio.sleep(DIAL_SECONDS)
                raise ConnectionAbortedError
            local = (self.seen_from, 0) if self.seen_from else None
            near, far = await asyncio.open_connection(*self._target, local_addr=local)
        except OSError:
            writer.transport.abort()
            return
        self._open |= {writer, far}
        try:
            await asyncio.gather(self._pump(reader, far, cuts, self.recorded), self._pump(near, writer, cuts))
        finally:
            self._open -= {writer, far}

    def end(self) -> None:
        """Give up what is still to be carried. The connections are closed on the loop's next turn."""
        for each in self._open:
            each.transport.abort()

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, cuts: int, recorded: bytearray | None = None
    ) -> None:
        try:
            while piece := await reader.read(65536):
                if self._cuts != cuts:
                    continue
                if recorded is not None:
                    recorded += piece
                if self.delay_seconds:
                    await asyncio.sleep(self.delay_seconds)
                writer.write(piece)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()


@contextmanager
def wired(wires: Sequence[Wire]) -> Iterator[None]:
    """The wires at work, on a thread."""
    loop = asyncio.new_event_loop()
    started, stopping = Event(), asyncio.Event()

    async def serve() -> None:
        servers = [await wire.serve() for wire in wires]
        started.set()
        await stopping.wait()
        for server in servers:
            server.close()
        for wire in wires:
            wire.end()
        for task in (tasks := asyncio.all_tasks() - {asyncio.current_task()}):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)  # transports close on the next turn

    def run() -> None:
        loop.run_until_complete(serve())
        loop.close()

    thread = Thread(target=run, name="wires", daemon=True)
    thread.start()
    assert started.wait(60)
    try:
        yield
    finally:
        loop.call_soon_threadsafe(stopping.set)
        thread.join(60)


class Cluster:
    """Nodes by their place, from 0. `wires[a, b]` is how node a reaches node b, where the cluster has wires."""

    def __init__(self, nodes: list[ClusterNode], wires: dict[tuple[int, int], Wire]) -> None:
        self.nodes = nodes
        self.wires = wires

    def wires_of(self, place: int) -> list[Wire]:
        return [wire for pair, wire in self.wires.items() if place in pair]

    def wait_ready(self, *places: int, seconds: float = START_SECONDS) -> None:
        for place in places or range(len(self.nodes)):
            try:
                wait(self.nodes[place].ready, f"node {place} is ready", seconds)
            except AssertionError as error:
                raise AssertionError(f"{error}\n{self.nodes[place].output()}") from None

    def connected(self) -> bool:
        """Each node pushes to all others, and all have everything."""
        return all(
            peer["state"] == "connected" and peer["lag_events"] == 0 for node in self.nodes for peer in node.peers()
        )

    def connected_but_for_lag(self) -> bool:
        """Each node pushes to all others."""
        return all(peer["state"] == "connected" for node in self.nodes for peer in node.peers())

    def equal(self) -> bool:
        """All nodes hold the same."""
        first, *others = (node.summary() for node in self.nodes)
        return all(other.digests == first.digests for other in others)

    def wait_equal(self, seconds: float = SECONDS) -> float:
        """Returns how long it took."""
        began = time.monotonic()
        wait(self.equal, "all nodes hold the same", seconds)
        return time.monotonic() - began

    def wait_live(self, prefix: str, expected: Iterable[str], seconds: float = SECONDS) -> None:
        """All nodes hold exactly these requests of the prefix."""
        wanted = set(expected)
        for place, node in enumerate(self.nodes):
            wait(lambda node=node: set(node.live(prefix)) == wanted, f"node {place} holds {wanted}", seconds)  # type: ignore[misc]

    def mend(self) -> None:
        """As it was at the start: all wires whole, all nodes up, ready and connected."""
        for wire in self.wires.values():
            wire.heal()
        for node in self.nodes:
            if node.process is None or node.process.process.poll() is not None:
                node.start()
            else:
                node.signal(signal.SIGCONT)
        self.wait_ready()
        wait(self.connected, "all are connected")


@contextmanager
def running_cluster(
    folder: Path,
    size: int,
    *,
    wires: bool = False,
    others: Sequence[str] = (),
    environment: Mapping[str, str] = MappingProxyType({}),
    source: Path = ROOT,
    prepare: Callable[[Cluster], object] = lambda cluster: None,
) -> Iterator[Cluster]:
    """Nodes that know each other by a fixed list, through wires or not, and the `others` (address:port) besides.

    An environment that names a discovery of its own takes the list's place. `prepare` is called before they start.
    """
    addresses = [f"127.0.0.{place + 1}" for place in range(size)]
    port = free_port(addresses)
    pairs = [(a, b) for a in range(size) for b in range(size) if a != b] if wires else []
    lines = {(a, b): Wire((addresses[b], port)) for a, b in pairs}
    with ExitStack() as stack:
        stack.enter_context(wired(list(lines.values())))
        nodes = []
        for a, address in enumerate(addresses):
            known = [f"127.0.0.1:{lines[a, b].port}" if (a, b) in lines else addresses[b] for b in range(size)]
            own = {"METADATA_CENTER_DISCOVERY_HOSTS": ",".join([*known, *others])}
            if "META_DATA_CENTER_SVC_DISC_HOST" in environment:
                own = {}
            nodes.append(ClusterNode(folder / f"n{a}", address, port, {**own, **environment}))
            nodes[-1].source = source
            stack.callback(nodes[-1].stop)
        cluster = Cluster(nodes, lines)
        prepare(cluster)
        for node in nodes:
            node.start()
        cluster.wait_ready()
        yield cluster
