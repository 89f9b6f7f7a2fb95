# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Mesh and log in turn: how late an event is on another node, and what it costs."""

from __future__ import annotations

import subprocess
import sys
from collections import defaultdict
from statistics import median
from time import sleep

from benchmarks.bench import Bench
from benchmarks.gateway import LoadGateway
from benchmarks.group import MODES, WAIT_SECONDS, Group, Mode, group
from benchmarks.openloop_client import OpenLoop, steady
from benchmarks.replication import ends
from benchmarks.section import Reach, Section, table
from benchmarks.spread import Latencies

NAME = "log"
LAG_RATES = (200, 2_000, 10_000)
CPU_RATES = (200, 1_000, 10_000)
# In ms, by rate: p50 and p99 over the log.
LAG_REACH = {200: (None, 10.0), 2_000: (1.0, 5.0)}
Costs = dict[tuple[str, int], list[tuple[float, float, float]]]


def measure(bench: Bench) -> Section:
    """The lag, then the CPU."""
    return Section(
        NAME,
        "Mesh and log",
        [
            "Nodes and the Valkey are processes on loopback and share the server's core; the load comes from the "
            "other. Mesh and log take turns. The nodes' own snapshots on the disk are off.",
            "From a call's answer to being seen on another of three nodes, ms:",
            table(["events/s", "by", "p50", "p99", "longest", "looked at", "reach"], _lag(bench)),
            "CPU for each event with two nodes, µs; what they use without load is taken off, and is in the last "
            "column. *Call* is what a node that is alone uses for it, *sender* and *receiver* what the two use beside "
            "that.",
            table(
                ["events/s", "by", "call", "sender", "receiver", "Valkey", "together", "reach", "idle, % of a core"],
                _cpu(bench),
            ),
        ],
    )


def _lag(bench: Bench) -> list[list[str]]:
    seconds, rounds = bench.pick(12, 2), bench.pick(2, 1)
    seen: defaultdict[tuple[int, Mode], list[int]] = defaultdict(list)
    for _ in range(rounds):
        for mode in MODES:
            with group(bench, mode, 3) as nodes:
                for rate in LAG_RATES:
                    seen[rate, mode] += _looked(nodes, rate, seconds)
    rows = []
    for rate in LAG_RATES:
        for mode in MODES:
            found = Latencies.of(seen[rate, mode], scale=1e-6)
            half, most = LAG_REACH.get(rate, (None, None)) if mode == "log" or rate == LAG_RATES[0] else (None, None)
            reach = [f"p50 {Reach(found.p50, half).show(' ms')}"] if half is not None else []
            reach += [f"p99 {Reach(found.p99, most).show(' ms')}"] if most is not None else []
            numbers = [f"{each:.2f}" for each in (found.p50, found.p99, found.longest)]
            rows.append([f"{rate:,}", mode, *numbers, f"{found.count:,}", ", ".join(reach)])
    return rows


def _looked(nodes: Group, rate: int, seconds: int) -> list[int]:
    """Return how long probes took to be seen, in ns, while events come at this rate."""
    probes = seconds * 25
    name = f"{rate}-{seconds}"
    words = [sys.executable, "-m", "benchmarks.probe", str(nodes.ports[0]), str(nodes.ports[1]), str(probes), name]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as probe:
        with OpenLoop(nodes.ports[0], connections=32) as client:
            client.run(steady(rate, rate * seconds), ends(LoadGateway(rate)))
        output, _ = probe.communicate(timeout=WAIT_SECONDS)
    return [int(line) for line in output.split()]


def _cpu(bench: Bench) -> list[list[str]]:
    spent: Costs = defaultdict(list)
    idle: defaultdict[str, list[float]] = defaultdict(list)
    for _ in range(bench.pick(3, 1)):
        for name, mode, number in (("alone", MODES[0], 1), *((mode, mode, 2) for mode in MODES)):
            with group(bench, mode, number) as nodes:
                still = nodes.used(lambda: sleep(bench.pick(8, 1)))
                idle[name].append(still.together / still.seconds)
                for rate in CPU_RATES:
                    spent[name, rate].append(_costs(bench, nodes, rate, [*still.nodes, still.log], still.seconds))
    rows = []
    for rate in CPU_RATES:
        call = median(each[0] for each in spent["alone", rate])
        together = {mode: call + sum(median(values) for values in _parts(spent[mode, rate], call)) for mode in MODES}
        for mode in MODES:
            parts = [median(values) for values in _parts(spent[mode, rate], call)]
            reach = Reach(together["log"], together["mesh"] / 2).show(" µs") if (mode, rate) == ("log", 1_000) else ""
            share = f"{median(idle[mode]):.1%}"
            numbers = [f"{each:.1f}" for each in (call, *parts, together[mode])]
            rows.append([f"{rate:,}", mode, *numbers, reach, share])
    return rows


def _parts(costs: list[tuple[float, float, float]], call: float) -> list[list[float]]:
    """What sender, receiver and log server use for an event beside the call, in each round."""
    senders, receivers, logs = zip(*costs, strict=True)
    return [[each - call for each in senders], list(receivers), list(logs)]


def _costs(bench: Bench, nodes: Group, rate: int, still: list[float], seconds: float) -> tuple[float, float, float]:
    """µs of CPU for each event: of the first node, of the second and of the log server; 0 where there is none."""
    length = bench.pick(15 if rate < 1_000 else 8, 1)
    with OpenLoop(nodes.ports[0], connections=32) as client:
        client.run(steady(rate, rate), ends(LoadGateway(2 * rate)))
        busy = nodes.used(lambda: client.run(steady(rate, rate * length), ends(LoadGateway(2 * rate + 1))))
    rest = [used / seconds * busy.seconds for used in still]
    own = [used - was for used, was in zip([*busy.nodes, busy.log], rest, strict=True)]
    events = rate * length
    sender, receiver, log = own[0], sum(own[1:-1]), own[-1]
    return sender / events * 1e6, receiver / events * 1e6, log / events * 1e6
