# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What one HTTP call costs a node in CPU time, beside the floor server on the same core in the same minute.

Rounds alternate between the two. CPU time counts the whole process: all threads, kernel and user. The access log
(to a file), metrics and trace ids are on.
"""

from __future__ import annotations

from itertools import count
from typing import NamedTuple

from benchmarks import wrk
from benchmarks.bench import Bench
from benchmarks.gateway import LoadGateway
from benchmarks.machine import cpu_seconds, waited_seconds
from benchmarks.openloop_client import OpenLoop, steady
from benchmarks.section import Bar, Reach, Section, table
from benchmarks.servers import MeasuredNode, call
from benchmarks.spread import Spread

NAME = "lane"
CONNECTIONS = 32


class MeasuredCall(NamedTuple):
    """One kind of call. `reach` is the ratio to the floor of a small answer; `seconds` as wrk takes them, whole."""

    label: str
    script: str
    reach: float | None
    seconds: int = 1
    engines: int = 100
    trace: str = "some"
    sized: bool = False  # compared with a floor of the same size too


# POST runs longer than the DELETEs after it, so that they find requests to end for as long as they run.
CALLS = (
    MeasuredCall("POST", "post", 2.5, seconds=3),
    MeasuredCall("DELETE prompt", "delete_prompt", 2.5),
    MeasuredCall("DELETE stats", "delete_stats", 2.5),
    MeasuredCall("POST, a trace id each", "post", 2.5, trace="every"),
    MeasuredCall("GET, 10 engines", "get", None, engines=10, sized=True),
    MeasuredCall("GET, 100 engines", "get", 4.0, engines=100, sized=True),
    MeasuredCall("GET, 1,000 engines", "get", 8.0, engines=1000, sized=True),
)
LIVES = MeasuredCall("mixed, 100 engines", "mixed", 4.0)

# Expiry is left out of the single calls and in the mixed ones, where each life pays for one forgotten.
CALLS_NODE = {"METADATA_CENTER_LOAD_GC_INTERVAL": "1h"}
LIVES_NODE = {"METADATA_CENTER_LOAD_GC_INTERVAL": "1s", "METADATA_CENTER_LOAD_TOMBSTONE_EXPIRE": "2s"}


class Sample(NamedTuple):
    """One round on one server. The share of the time it had its core: `busy`; it waited for it: `waited`."""

    cpu_us: float
    per_second: float
    busy: float
    waited: float


class Rounds(NamedTuple):
    """One operation's rounds; `sized` is the floor with an answer of the node's size."""

    operation: MeasuredCall
    answer_bytes: int
    node: list[Sample]
    floor: list[Sample]
    sized: list[Sample]


def measure(bench: Bench) -> Section:
    """Every call, then their mix."""
    rounds = bench.pick(5, 1)
    with bench.servers.node(**CALLS_NODE) as node:
        done = _rounds(bench, node, CALLS, rounds)
        notes = _check(node, "the single calls")
    with bench.servers.node(**LIVES_NODE) as node:
        done += _rounds(bench, node, (LIVES,), rounds)
        notes += _check(node, "the mix")
    return section(done, rounds, notes)


def _rounds(bench: Bench, node: MeasuredNode, operations: tuple[MeasuredCall, ...], rounds: int) -> list[Rounds]:
    small = len(call(node.port, LoadGateway(0xFFFF).post(1)))
    done = []
    for operation in operations:
        _open_engines(node, operation.engines)
        target = f"/v1/load/stats?cluster=model-{operation.engines}"
        size = len(node.get(target)) if operation.sized else small
        done.append(Rounds(operation, size, [], [], []))
    sizes = sorted({small, *(each.answer_bytes for each in done)})
    runs = count(1)
    with bench.servers.floor(sizes) as (floor, ports):
        port_of = dict(zip(sizes, ports, strict=True))
        _sample(node.pid, node.port, operations[-1], next(runs))  # warm up
        _sample(floor, port_of[small], operations[-1], 0)
        for number in range(rounds):
            added = 0
            for each in done:
                operation = each.operation
                if operation.script in {"post", "mixed"}:
                    added = next(runs)
                if number % 2:
                    each.node.append(_sample(node.pid, node.port, operation, added))
                each.floor.append(_sample(floor, port_of[small], operation, added))
                if operation.sized:
                    each.sized.append(_sample(floor, port_of[each.answer_bytes], operation, added))
                if not number % 2:
                    each.node.append(_sample(node.pid, node.port, operation, added))
                node.forget_log()
    return done


def _open_engines(node: MeasuredNode, engines: int) -> None:
    """Make a cluster `model-N` of N engines, each with a request in flight."""
    gateway = LoadGateway(0xE000 + engines, cluster=f"model-{engines}", engines=engines, per_cluster=engines)
    with OpenLoop(node.port, connections=1) as client:
        client.run(steady(5000, engines), gateway.adds())


def _sample(pid: int, port: int, operation: MeasuredCall, run: int) -> Sample:
    settings: dict[str, str | int] = {
        "RUN": run,
        "TRACE": operation.trace,
        "ENGINES": operation.engines,
        "CLUSTER": f"model-{operation.engines}",
    }
    before, waited_before = cpu_seconds(pid), waited_seconds(pid)
    count = wrk.run(operation.script, port, seconds=operation.seconds, connections=CONNECTIONS, settings=settings)
    used, waited = cpu_seconds(pid) - before, waited_seconds(pid) - waited_before
    seconds = count.duration_us / 1e6
    return Sample(used / count.requests * 1e6, count.per_second, used / seconds, waited / seconds)


def _check(node: MeasuredNode, what: str) -> list[str]:
    """Whether the rounds measured what they say: every answer a 200, every DELETE of a request that was there."""
    calls, events = node.calls(), node.events()
    answered = sum(calls.values())
    notes = [f"Of {what}, {sum(n for (_, status), n in calls.items() if status == '200'):,} of {answered:,} were 200."]
    deletes = sum(n for (method, _), n in calls.items() if method == "DELETE")
    astray = deletes - events["first_token"] - events["done"]
    if astray:
        notes.append(f"**{astray:,} of its {deletes:,} DELETEs found nothing to end.**")
    return notes


def section(done: list[Rounds], rounds: int, notes: list[str]) -> Section:
    """The table and the bars."""
    rows, bars = [], []
    for each in done:
        operation = each.operation
        ratio = _ratio(each.node, each.floor)
        reach = "" if operation.reach is None else Reach(ratio.median, operation.reach).show()
        rows.append(
            (
                operation.label,
                _cpu(each.node).show(),
                _cpu(each.floor).show(),
                ratio.show(2),
                reach,
                f"{each.answer_bytes:,}",
                f"{_cpu(each.sized).show()}, {_ratio(each.node, each.sized).show(2)} ×" if each.sized else "",
                f"{Spread.of([sample.per_second for sample in each.node]).median:,.0f}",
                f"{_busy(each.node)} / {_busy(each.floor)}",
            )
        )
        bars.append(Bar(operation.label, ratio, operation.reach))
    head = (
        "call",
        "node, µs CPU",
        "floor, µs CPU",
        "ratio",
        "reach",
        "answer, bytes",
        "floor of that size, µs CPU, ratio to it",
        "calls/s",
        "core busy, node / floor",
    )
    explained = (
        f"CPU time per call of the whole process, {rounds} rounds of 1 s (POST: 3 s), {CONNECTIONS} kept connections, "
        "the server alone on its core, wrk on another. *Floor* sends fixed bytes of the size of a POST's answer and "
        "reads nothing."
    )
    waited = [sample.waited for each in done for sample in each.node + each.floor + each.sized]
    notes.append(
        f"The servers waited {Spread.of(waited).median:.1%} of the time for their core (at most {max(waited):.1%}): "
        "for other processes and for their own other threads. Where the core was not busy, wrk was the slower."
    )
    return Section(NAME, "CPU per call", [explained, table(head, rows), " ".join(notes)], bars, "CPU per call / floor")


def _cpu(samples: list[Sample]) -> Spread:
    return Spread.of([sample.cpu_us for sample in samples])


def _ratio(samples: list[Sample], floor: list[Sample]) -> Spread:
    return Spread.of([one.cpu_us / other.cpu_us for one, other in zip(samples, floor, strict=True)])


def _busy(samples: list[Sample]) -> str:
    return f"{Spread.of([sample.busy for sample in samples]).median:.0%}"
