# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Three whole nodes on a real Valkey that is killed, hangs and is full, under calls that never stop: each is answered
200, `/readyz` says why the node is degraded, and afterwards all nodes are equal to what clients were told.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection
from itertools import count
from pathlib import Path
from threading import Event, Thread
from typing import Any

import msgspec
import pytest

from tests.clusters import wait
from tests.nodes import CALL_SECONDS, NodeProcess, put_accounts
from tests.ports import free_port
from tests.valkey import ServerProcess, log_server

pytestmark = pytest.mark.slow

PLACES = 3
GAP_SECONDS = 0.005
SLOWEST_SECONDS = 5.0  # of any call, on a machine that does other work; a call that waited for a log would take longer


class Nodes:
    """Three places for nodes, which know nothing of each other but the log."""

    def __init__(self, folder: Path, url: str, stack: ExitStack, *, snapshot: bool = False) -> None:
        self._folder = folder
        self._snapshot = snapshot
        self._stack = stack
        self.url = url
        self.ports = [free_port() for _ in range(PLACES)]
        self.processes = [self._started(at) for at in range(PLACES)]
        for process in self.processes:
            process.wait_for("  API ")

    def _started(self, at: int) -> NodeProcess:
        folder = self._folder / f"node-{at}"
        put_accounts(folder)
        environment = {
            "POD_IP": "127.0.0.1",
            "METADATA_CENTER_HTTP_HOST": "127.0.0.1",
            "METADATA_CENTER_HTTP_PORT": str(self.ports[at]),
            "METADATA_CENTER_PPROF_PORT": "0",
            "METADATA_CENTER_REPLICATION_LOG": self.url,
            "METADATA_CENTER_NODE_SNAPSHOT": str(self._snapshot).lower(),
            "METADATA_CENTER_LOG_ACCESS_OUTPUT": "off",
        }
        process = NodeProcess(["manage.py", "run"], folder, environment, covered=False)
        process.port = self.ports[at]
        self._stack.callback(process.stop)
        return process

    def kill(self) -> None:
        """End all of them at once."""
        for process in self.processes:
            process.stop(signal.SIGKILL)

    def start(self) -> None:
        """Start all of them, with nothing on their disks."""
        self.processes = [self._started(at) for at in range(PLACES)]
        for process in self.processes:
            process.wait_for("  API ")

    def replace(self, at: int) -> None:
        """Kill one and start it again."""
        self.processes[at].stop(signal.SIGKILL)
        self.processes[at] = self._started(at)

    def knows_for_its_next_life(self, at: int) -> list[str]:
        """The other nodes in the file that a node keeps."""
        kept = b"".join(each.read_bytes() for each in (self._folder / f"node-{at}").rglob("log.nodes"))
        return [self.name(other) for other in range(PLACES) if other != at and self.name(other).encode() in kept]

    def part(self, at: int) -> str:
        """What a node says of its log: its state and why."""
        found = self.processes[at].data("/readyz")
        parts = found["parts"]
        named = {each["name"]: each for each in parts} if isinstance(parts, list) else parts
        return f"{found['status']} {msgspec.json.encode(named.get('log', {})).decode()}"

    def all_say(self, *words: str) -> None:
        """Wait until `/readyz` of each node has all of these words."""

        def said() -> bool:
            told = [self.part(at) for at in range(PLACES)]
            return all(word in each for word in words for each in told)

        wait(said, f"all say {words}: {[self.part(at) for at in range(PLACES)]}")

    def name(self, at: int) -> str:
        """A node's name."""
        return f"127.0.0.1:{self.ports[at]}"

    def who_noticed(self, at: int, kind: str) -> set[str]:
        """The nodes that reported events of a kind, as a node knows them."""
        found = self.processes[at].data(f"/v1/events?kind={kind}&limit=200")
        return {each["node"] for each in found["events"]}

    def peak(self, at: int) -> float:
        """The most requests at once of the cluster in the last hour, as a node knows it; 0 if it knows none."""
        found = self.processes[at].data("/v1/load/history?cluster=c&range=1h")
        return max((value for value in found["series"]["queued_req_num"] if value is not None), default=0)

    def rows(self, at: int) -> dict[str, int]:
        """The requests in flight of each engine, as a node has them."""
        found = self.processes[at].data("/v1/load/stats?cluster=c") or []
        return {row["ip"]: row["queued_req_num"] for row in found if row["queued_req_num"]}


class Caller:
    """Calls the nodes in turn. `in_flight`: what they were told, by engine; `slowest`: a call, in seconds."""

    def __init__(self, ports: list[int]) -> None:
        self._ports = ports
        self._numbers = count(1)
        self._stopping = Event()
        self.in_flight: dict[str, str] = {}
        self.statuses: set[int] = set()
        self.slowest = 0.0
        self.calls = 0
        self._thread = Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread = Thread(target=self._run, daemon=True)
        self._stopping.clear()
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join(CALL_SECONDS)

    def by_engine(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for ip in self.in_flight.values():
            found[ip] = found.get(ip, 0) + 1
        return found

    def wait_for(self, calls: int) -> None:
        """Wait until so many more calls were answered."""
        target = self.calls + calls
        wait(lambda: self.calls >= target, f"{calls} calls")

    def _run(self) -> None:
        connections = [HTTPConnection("127.0.0.1", port, timeout=CALL_SECONDS) for port in self._ports]
        while not self._stopping.is_set():
            number = next(self._numbers)
            request_id, ip = f"r{number}", f"10.0.0.{number % 7}"
            body = {"cluster": "c", "request_id": request_id, "ip": ip, "prompt_length": 1}
            self._call(connections[number % PLACES], "POST", body)
            self.in_flight[request_id] = ip
            earlier = f"r{number - 40}"
            if number % 3 and earlier in self.in_flight:
                self._call(connections[(number + 1) % PLACES], "DELETE", {"request_id": earlier})
                del self.in_flight[earlier]
            self._stopping.wait(GAP_SECONDS)
        for each in connections:
            each.close()

    def _call(self, connection: HTTPConnection, method: str, body: Any) -> None:
        began = time.monotonic()
        connection.request(method, "/v1/load/stats", msgspec.json.encode(body))
        response = connection.getresponse()
        response.read()
        self.statuses.add(response.status)
        self.slowest = max(self.slowest, time.monotonic() - began)
        self.calls += 1


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with log_server("valkey", tmp_path_factory.mktemp("log")) as found:
        yield found


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory, server: ServerProcess) -> Iterator[Nodes]:
    with ExitStack() as stack:
        yield Nodes(tmp_path_factory.mktemp("nodes"), server.url, stack)


@pytest.fixture(scope="module")
def caller(nodes: Nodes) -> Caller:
    return Caller(nodes.ports)


@contextmanager
def calling(nodes: Nodes, server: ServerProcess, caller: Caller) -> Iterator[None]:
    """Calls all the while, and at the end equal nodes."""
    server.heal()
    nodes.all_say("ready")
    caller.start()
    try:
        caller.wait_for(100)
        yield
        caller.wait_for(100)
    finally:
        caller.stop()
    assert caller.statuses == {200}
    assert caller.slowest < SLOWEST_SECONDS
    agree(nodes, caller)
    nodes.all_say("ready")


def agree(nodes: Nodes, caller: Caller) -> None:
    """Wait until all nodes have what they were told."""
    told = caller.by_engine()
    wait(
        lambda: all(nodes.rows(at) == told for at in range(PLACES)),
        f"all equal: {told}, {[nodes.rows(at) for at in range(PLACES)]}",
    )


def log_of(process: NodeProcess) -> dict[str, Any]:
    """What a node says of its log and of the nodes on it."""
    found: dict[str, Any] = process.data("/v1/replica/peers")["log"]
    return found


def has_no_gap(server: ServerProcess) -> bool:
    """Whether the stream begins before the end of the snapshot. A full server was trimmed without one."""
    position = server.command("HGET", "{metadata-center}:snapshot", "position")
    first = server.command("XRANGE", "{metadata-center}:stream", "-", "+", "COUNT", 1)[0][0]
    return tuple(map(int, first.split(b"-"))) <= tuple(map(int, position.split(b"-")))


def see(nodes: Nodes, caller: Caller, *words: str) -> None:
    """See that the nodes say so, and go on with calls meanwhile."""
    nodes.all_say("degraded", *words)
    caller.wait_for(100)


@pytest.mark.parametrize(
    ("harm", "help_", "words"),
    [
        (ServerProcess.kill, ServerProcess.empty, "nothing listens there"),
        (ServerProcess.freeze, ServerProcess.thaw, "no answer for"),
        (ServerProcess.fill, ServerProcess.drain, "full"),
    ],
    ids=["killed", "hangs", "full"],
)
def test_calls_go_on_and_afterwards_all_are_equal(
    nodes: Nodes,
    server: ServerProcess,
    caller: Caller,
    harm: Callable[[ServerProcess], None],
    help_: Callable[[ServerProcess], None],
    words: str,
) -> None:
    with calling(nodes, server, caller):
        harm(server)
        see(nodes, caller, words)
        help_(server)


def test_notices_and_the_history_of_load_travel_by_the_log(nodes: Nodes, server: ServerProcess, caller: Caller) -> None:
    """What one node notices the others have soon, and nodes that begin with nothing have it with the history."""
    with calling(nodes, server, caller):
        pass
    body = b'{"LevelParam":"INFO"}'
    assert nodes.processes[0].call("POST", "/log/level", body)[0] == 200
    node = nodes.name(0)
    wait(lambda: all(node in nodes.who_noticed(at, "log_level_changed") for at in range(PLACES)), "the notice is there")
    wait(lambda: all(nodes.peak(at) for at in range(PLACES)), "a step of the history", 60)
    peaks = [nodes.peak(at) for at in range(PLACES)]
    server.command("DEL", "{metadata-center}:snapshot")
    wait(lambda: server.command("EXISTS", "{metadata-center}:snapshot"), "another snapshot")
    nodes.kill()
    nodes.start()
    nodes.all_say("ready")
    for at in range(PLACES):
        assert node in nodes.who_noticed(at, "log_level_changed")
        assert nodes.peak(at) >= min(peaks)
    agree(nodes, caller)


def test_nodes_are_seen_by_each_other_and_killed_together_start_from_the_log(
    nodes: Nodes, server: ServerProcess, caller: Caller
) -> None:
    with calling(nodes, server, caller):
        pass
    assert caller.in_flight
    for process in nodes.processes:
        found = log_of(process)
        assert (found["up"], found["joined"], found["server"]) == (True, True, server.url.removeprefix("valkey://"))
        # Lives that tests before killed are missed until the nodes that took their places have been heard twice.
        wait(lambda process=process: len(log_of(process)["nodes"]) == PLACES - 1, "each knows the others and no more")
    wait(lambda: has_no_gap(server), "a snapshot with all entries behind it")
    nodes.kill()
    nodes.start()
    nodes.all_say("ready")
    agree(nodes, caller)
    with calling(nodes, server, caller):
        pass


def test_a_node_that_hangs_is_not_forgotten_where_the_log_is_lost_while_the_others_are_away(tmp_path: Path) -> None:
    """It may live and have taken calls. Nodes that start again hold for it, and say that it is silent."""
    with log_server("valkey", tmp_path / "log") as server, ExitStack() as stack:
        nodes = Nodes(tmp_path / "nodes", server.url, stack, snapshot=True)
        nodes.all_say("ready", "2 other nodes")
        wait(lambda: all(len(nodes.knows_for_its_next_life(at)) == 2 for at in range(PLACES)), "who is there is kept")
        hung = nodes.processes[2]
        hung.process.send_signal(signal.SIGSTOP)
        try:
            for at in (0, 1):
                nodes.processes[at].stop(signal.SIGKILL)
            server.empty()
            for at in (0, 1):
                nodes.replace(at)
            for at in (0, 1):
                wait(
                    lambda at=at: f"fell silent: {nodes.name(2)}" in nodes.part(at),
                    f"node {at} misses the one that hangs",
                )
        finally:
            hung.process.send_signal(signal.SIGCONT)
        nodes.all_say("ready", "2 other nodes")
