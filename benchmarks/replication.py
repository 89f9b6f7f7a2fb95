# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Replication between real nodes on loopback: lag, memory for a lost peer, joining, healing.

The first node runs on the server's core, its peers and the load on the other.
"""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import datetime
from itertools import count
from time import monotonic, sleep

from benchmarks.bench import Bench
from benchmarks.gateway import LoadGateway
from benchmarks.machine import resident_bytes
from benchmarks.openloop_client import OpenLoop, steady
from benchmarks.relay import Relay
from benchmarks.section import Reach, Section, table
from benchmarks.servers import MeasuredNode, ServerFailed, Servers, call
from benchmarks.spread import Latencies

NAME = "replication"
FILL_RATE = 20_000
WAIT_SECONDS = 120.0


def measure(bench: Bench) -> Section:
    """All of it, one thing after the other."""
    rows = [*_lag(bench), *_memory(bench)]
    for requests, limit in ((100_000, 2.0), (1_000_000, 15.0)):
        if requests == 100_000 or not bench.quick:
            rows.append(_join(bench, bench.pick(requests, 20_000), limit))
    rows.append(_heal(bench))
    return Section(
        NAME,
        "Replication",
        [
            "Nodes are processes on loopback that find each other by a static list; the access log is on.",
            table(["what", "measured", "reach"], rows),
        ],
    )


def free_ports(number: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [int(each.getsockname()[1]) for each in sockets]
    for each in sockets:
        each.close()
    return ports


def start(stack: ExitStack, servers: Servers, port: int, peers: Sequence[int]) -> MeasuredNode:
    hosts = ",".join(f"127.0.0.1:{each}" for each in peers)
    settings = {"METADATA_CENTER_HTTP_PORT": str(port), "METADATA_CENTER_DISCOVERY_HOSTS": hosts}
    return stack.enter_context(servers.node(**settings))


def _state(node: MeasuredNode) -> dict[str, object]:
    found: dict[str, object] = json.loads(node.body("/v1/replica/peers"))["data"]
    return found


def _until(what: str, true: object) -> float:
    """Seconds until `true()` is so."""
    began = monotonic()
    while not true():  # type: ignore[operator]
        if monotonic() - began > WAIT_SECONDS:
            raise ServerFailed(f"not within {WAIT_SECONDS:g} s: {what}")
        sleep(0.01)
    return monotonic() - began


def joined(*nodes: MeasuredNode) -> None:
    for node in nodes:
        _until("joined", lambda node=node: _state(node)["joined"])


def ends(gateway: LoadGateway) -> Iterator[bytes]:
    """Requests and their ends, without queries: every call is an event."""
    for n in count(1):
        yield gateway.post(n)
        if n > 100:
            yield gateway.prompt(n - 50)
            yield gateway.stats(n - 100)


def _lag(bench: Bench) -> list[tuple[str, str, str]]:
    seconds = bench.pick(12, 3)
    with ExitStack() as stack:
        ports = free_ports(3)
        nodes = [
            start(stack, bench.servers.beside(f"lag-{port}", core), port, ports)
            for port, core in zip(ports, (bench.server_core, None, None), strict=True)
        ]
        joined(*nodes)
        probes = seconds * 30
        command = [sys.executable, "-m", "benchmarks.probe", str(ports[0]), str(ports[1]), str(probes)]
        probe = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        with OpenLoop(ports[0], connections=32) as client:
            client.run(steady(2000, 2000 * seconds), ends(LoadGateway(1)))
        output, _ = probe.communicate(timeout=WAIT_SECONDS)
    seen = Latencies.of([int(line) for line in output.split()], scale=1e-6)
    reach = Reach(seen.p99, 10.0)
    return [
        (
            "from a call's answer to being seen on a peer, three nodes, 2,000 events/s",
            f"p50 {seen.p50:.2f} ms, p99 {seen.p99:.2f} ms, longest {seen.longest:.2f} ms of {seen.count}",
            reach.show(" ms"),
        )
    ]


def _memory(bench: Bench) -> list[tuple[str, str, str]]:
    """Measure a full journal without acknowledgements: more events than it keeps."""
    events = bench.pick(400_000, 20_000)

    def grown(peers: int) -> int:
        with ExitStack() as stack:
            port, gone = free_ports(2)
            node = start(stack, bench.servers.beside(f"mem-{port}", bench.server_core), port, [port, gone][:peers])
            before = resident_bytes(node.pid)
            with OpenLoop(port, connections=32) as client:
                client.run(steady(FILL_RATE, events), LoadGateway(1, engines=1000).adds())
            return resident_bytes(node.pid) - before

    cost = grown(2) - grown(0)
    return [
        (
            f"memory of a node whose peer is down, after {events:,} events, more than it would have alone",
            f"{cost / 1e6:.0f} MB; the journal keeps 262,144 events and then forgets the oldest, "
            "which 10 minutes at 2,000 events/s are beyond: the peer pulls instead",
            "bounded",
        )
    ]


def _join(bench: Bench, requests: int, limit: float) -> tuple[str, str, str]:
    with ExitStack() as stack:
        ports = free_ports(2)
        first = start(stack, bench.servers.beside(f"join-{ports[0]}", bench.server_core), ports[0], ports)
        with OpenLoop(ports[0], connections=32) as client:
            client.run(steady(FILL_RATE, requests), LoadGateway(1, engines=1000).adds())
        servers = bench.servers.beside(f"join-{ports[1]}", None)
        second = start(stack, servers, ports[1], ports)
        joined(second)
        _until("equal", lambda: second.records()["in_flight"] == first.records()["in_flight"] == requests)
        output = servers.output()
    stamps = {
        what: datetime.fromisoformat(re.search(rf"^(\S+) INFO replication {what}", output, re.MULTILINE)[1])  # type: ignore[index]
        for what in (r"peer \S+ connected", "ready with")
    }
    took = (stamps["ready with"] - stamps[r"peer \S+ connected"]).total_seconds()
    return (
        f"from first contact with a peer to ready, {requests:,} requests in flight",
        f"{took:.2f} s",
        Reach(took, limit).show(" s"),
    )


def _heal(bench: Bench) -> tuple[str, str, str]:
    seconds = bench.pick(30, 4)
    with ExitStack() as stack:
        ports = free_ports(2)
        relays = [stack.enter_context(Relay(port)) for port in ports]
        nodes = [
            start(stack, bench.servers.beside(f"heal-{port}", core), port, [port, relays[1 - at].port])
            for at, (port, core) in enumerate(zip(ports, (bench.server_core, None), strict=True))
        ]
        joined(*nodes)
        for relay in relays:
            relay.cut()
        for at, port in enumerate(ports):
            with OpenLoop(port, connections=16) as client:
                client.run(steady(2000, 1000 * seconds), LoadGateway(at + 1).adds())
        for relay in relays:
            relay.heal()
        took = _until("equal", lambda: _load(ports[0]) == _load(ports[1]) == 2000 * seconds)
    return (
        f"from the end of a partition of {seconds} s with 2,000 events/s to equal nodes",
        f"{took:.2f} s",
        Reach(took, 2.0).show(" s"),
    )


def _load(port: int) -> int:
    body = call(port, b"GET /v1/load/stats?cluster=model-a HTTP/1.1\r\nHost: n\r\n\r\n").partition(b"\r\n\r\n")[2]
    return sum(int(row["queued_req_num"]) for row in json.loads(body)["data"] or [])
