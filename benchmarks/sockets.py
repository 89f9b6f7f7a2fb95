# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Live load over websockets: what 200 open dashboards cost a node, and how long a change takes to reach them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import count
from statistics import median
from time import perf_counter_ns, time_ns

from benchmarks import latency
from benchmarks.bench import Bench
from benchmarks.gateway import LoadGateway
from benchmarks.listener import Listener
from benchmarks.machine import cpu_seconds
from benchmarks.openloop_client import OpenLoop, OpenLoopRun, poisson, steady
from benchmarks.section import Reach, Section, table
from benchmarks.servers import MeasuredNode
from benchmarks.spread import Latencies, Spread

NAME = "sockets"
SOCKETS = 200
ENGINES = 1000
RATE = 2000
CPU_REACH = 40
P99_REACH_MS = 5
DELAY_REACH_MS = 250
SAMPLED = 10  # of the calls, one in so many is followed to all sockets


def measure(bench: Bench) -> Section:
    """In turns without and with the sockets, the same load."""
    seconds, rounds = bench.pick(15, 3), bench.pick(3, 1)
    shares: list[float] = []
    alone: list[OpenLoopRun] = []
    watched: list[OpenLoopRun] = []
    delays: list[int] = []
    sizes: list[float] = []
    with bench.servers.node() as node:
        with OpenLoop(node.port, connections=32) as client:
            client.run(steady(20_000, ENGINES), _gateway(0).adds())
        for number in range(1, rounds + 1):
            without, load = _run(node, 2 * number, seconds, [])
            alone.append(load)
            with ExitStack() as stack:
                listeners = [Listener(node.port, "/ws/load/model-a/") for _ in range(SOCKETS)]
                for each in listeners:
                    stack.enter_context(each.connection)
                spent, load = _run(node, 2 * number + 1, seconds, listeners)
            watched.append(load)
            shares.append((spent - without) / seconds * 100)
            delays += _delays(load, listeners)
            sizes += [each.bytes / max(len(each.arrivals), 1) for each in listeners]
        fell_back = node.fell_back()
    seen = Latencies.of(delays, scale=1e-6)
    share = Spread.of(shares)
    messages = SOCKETS * 1000 / 100  # a second
    rows = [
        (
            f"CPU of the node for {SOCKETS} sockets, more than without them",
            f"{share.show()} % of a core, {share.median * 1e4 / messages:.0f} µs a message",
            Reach(share.median, CPU_REACH).show(" %"),
        ),
        (
            "from sending a call to the last byte of its change on a socket",
            f"p50 {seen.p50:.0f} ms, p99 {seen.p99:.0f} ms, longest {seen.longest:.0f} ms of {seen.count:,}",
            Reach(seen.p99, DELAY_REACH_MS).show(" ms"),
        ),
        ("mean size of a message", f"{median(sizes) / 1e3:.1f} KB", ""),
        ("sockets that fell back to a snapshot", f"{fell_back}", ""),
    ]
    return Section(
        NAME,
        f"{SOCKETS} live dashboards",
        [
            f"{SOCKETS} websockets on a cluster of {ENGINES:,} engines, each with a message per 100 ms, while {RATE:,} "
            "events/s are reported: POST, DELETE prompt and DELETE stats in turn.",
            table(["what", "measured", "reach"], rows),
            "The calls meanwhile:",
            table(
                latency.HEAD,
                [
                    latency.row("events, no sockets", _all(alone)),
                    latency.row(f"events, {SOCKETS} sockets", _all(watched), p99_ms=P99_REACH_MS),
                ],
            ),
            latency.EXPLAINED,
        ],
    )


def _gateway(run: int) -> LoadGateway:
    return LoadGateway(run, engines=ENGINES, per_cluster=ENGINES)


def _events(gateway: LoadGateway) -> Iterator[bytes]:
    """Lives of requests without queries: every call changes an engine."""
    for n in count(1):
        yield gateway.post(n)
        if n > 100:
            yield gateway.prompt(n - 50)
            yield gateway.stats(n - 100)


def _run(node: MeasuredNode, run: int, seconds: int, listeners: Sequence[Listener]) -> tuple[float, OpenLoopRun]:
    """CPU seconds of the node, and the calls."""
    with OpenLoop(node.port, connections=32) as client:
        for each in listeners:
            client.listen(each.connection, each.read)
        events = _events(_gateway(run))
        client.run(poisson(RATE, RATE), events)  # warm up, and take the first snapshots
        before = cpu_seconds(node.pid)
        load = client.run(poisson(RATE, RATE * seconds, seed=run), events)
        spent = cpu_seconds(node.pid) - before
        client.run(poisson(RATE, RATE // 2), events)  # until the last changes have come
        return spent, load


def _delays(load: OpenLoopRun, listeners: Sequence[Listener]) -> list[int]:
    """From each sampled call's time to be sent to the arrival of the first message made after its answer, on each
    socket, in ns. That message has its change in any case; the one before may have. Versions that a socket skipped are
    left out, and counted elsewhere."""
    wall_offset = time_ns() - perf_counter_ns()
    sent_at = sorted((sent_ns, version) for version, (sent_ns, _) in listeners[0].arrivals.items())
    delays = []
    for index in range(0, len(load.latencies), SAMPLED):
        sent = load.began + load.times[index]
        place = bisect_left(sent_at, (sent + load.latencies[index] + wall_offset, 0))
        version = sent_at[place][1]
        delays += [each.arrivals[version][1] - sent for each in listeners if version in each.arrivals]
    return delays


def _all(loads: Sequence[OpenLoopRun]) -> OpenLoopRun:
    whole = loads[0]
    for load in loads[1:]:
        whole = OpenLoopRun(
            whole.latencies + load.latencies, whole.sent_late + load.sent_late, whole.times, whole.began
        )
    return whole
