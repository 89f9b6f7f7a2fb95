# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What replication costs: CPU for each event, of the node that sends it and of the node that takes it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from statistics import median
from time import sleep

from benchmarks.bench import Bench
from benchmarks.gateway import LoadGateway
from benchmarks.machine import cpu_seconds
from benchmarks.openloop_client import OpenLoop, steady
from benchmarks.replication import ends, free_ports, joined, start
from benchmarks.section import Reach, Section, table
from benchmarks.servers import MeasuredNode

NAME = "replication-cpu"


def measure(bench: Bench) -> Section:
    """Both nodes on the server's core, so that neither competes with the load; what a node costs without load is
    taken off. What sending costs is the difference between a node with a peer and one without: the median of several
    pairs, as a life of a process is up to a tenth dearer than the next."""
    seconds, pairs, rate = bench.pick(6, 2), bench.pick(5, 1), 10_000

    def spent(number: int) -> list[float]:
        with ExitStack() as stack:
            own = free_ports(number)
            nodes = [
                start(stack, bench.servers.beside(f"cpu-{port}", bench.server_core), port, own if number > 1 else [])
                for port in own
            ]
            joined(*nodes)
            idle = _used(nodes, lambda: sleep(seconds))
            with OpenLoop(own[0], connections=32) as client:
                client.run(steady(rate, rate), ends(LoadGateway(1)))
                busy = _used(nodes, lambda: client.run(steady(rate, rate * seconds), ends(LoadGateway(2))))
            return [used - was for used, was in zip(busy, idle, strict=True)]

    events = rate * seconds
    lives = [(*spent(1), *spent(2)) for _ in range(pairs)]
    sent = [(sender - alone) / events * 1e6 for alone, sender, _ in lives]
    taken = [receiver / events * 1e6 for _, _, receiver in lives]
    sending, taking = median(sent), median(taken)
    call = median(alone for alone, _, _ in lives) / events * 1e6
    ranges = [f"{least:.1f}–{most:.1f}" for least, most in ((min(each), max(each)) for each in (sent, taken))]
    return Section(
        NAME,
        "What a peer costs",
        [
            f"µs of CPU for each event at {rate:,} events/s, median and range of {pairs} pairs of nodes.",
            table(
                ["what", "measured", "reach"],
                [
                    ("sender", f"{sending:.1f} ({ranges[0]})", ""),
                    ("receiver", f"{taking:.1f} ({ranges[1]})", ""),
                    ("both", f"{sending + taking:.1f}", Reach(sending + taking, 8.0).show(" µs")),
                    ("a client's call", f"{call:.1f}", ""),
                ],
            ),
        ],
    )


def _used(nodes: Sequence[MeasuredNode], what: Callable[[], object]) -> list[float]:
    """CPU seconds of each node while something goes on."""
    before = [cpu_seconds(node.pid) for node in nodes]
    what()
    return [cpu_seconds(node.pid) - was for node, was in zip(nodes, before, strict=True)]
