# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The ledger by itself, without HTTP: the cost of operations, bytes per request, and the longest pauses.

Measured in a process of its own, `python -m benchmarks.ledger REQUESTS ROUNDS`, which prints its numbers as JSON.
Python's garbage collector runs as in a node: frozen at the start, automatic from then on.
"""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from array import array
from collections.abc import Callable
from functools import partial
from itertools import count
from time import thread_time_ns

from msgspec import Struct, field
from msgspec.json import decode, encode

from benchmarks.bench import Bench
from benchmarks.machine import pinned, resident_bytes
from benchmarks.section import Reach, Section, table
from benchmarks.servers import ROOT
from benchmarks.spread import Latencies, Spread
from loadstats.ledger import Ledger

NAME = "ledger"
ENGINES = 1000
BATCH = 20_000
WALL_NS = 1_700_000_000_000_000_000
REQUEST_SECONDS = 660.0
TOMBSTONE_SECONDS = 60.0
BYTES_REACH = 400
PAUSE_REACH_MS = 10


class LedgerNumbers(Struct):
    """Times in µs of CPU time. `costs` has a number per round for each operation."""

    requests: int
    bytes_each: float
    adds: Latencies
    collect: float
    expiring: Latencies  # slices that end requests
    forgetting: Latencies  # and slices that remove their tombstones
    bytes_left: int  # of memory, after all is forgotten
    costs: dict[str, list[float]] = field(default_factory=dict)


def measure(bench: Bench) -> Section:
    """Run the measuring process on the server's core."""
    requests, rounds = bench.pick(1_000_000, 100_000), bench.pick(7, 3)
    with pinned(bench.server_core):
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.ledger", str(requests), str(rounds)],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            timeout=300,
            check=True,
        )
    return section(decode(done.stdout, type=LedgerNumbers), rounds)


def section(measured: LedgerNumbers, rounds: int) -> Section:
    """The tables."""
    pauses = table(
        ("CPU time of", "median, µs", "p99.9, µs", "longest, ms", "reach"),
        [
            _pause("an `add` while the ledger grows", measured.adds),
            ("a full garbage collection", "", "", f"{measured.collect / 1e3:.2f}", _within(measured.collect)),
            _pause("a slice of expiry that ends requests", measured.expiring),
            _pause("a slice of expiry that forgets them", measured.forgetting),
        ],
    )
    costs = table(
        ("operation", "µs CPU"), [(name, Spread.of(values).show(2)) for name, values in measured.costs.items()]
    )
    memory = (
        f"{measured.requests:,} requests in flight on {ENGINES:,} engines hold {measured.bytes_each:.0f} resident "
        f"bytes each, with their ids of 36 characters ({Reach(measured.bytes_each, BYTES_REACH).show(' bytes')}). When "
        f"all is forgotten, {measured.bytes_left / 1e6:.0f} MB stay with the process."
    )
    summary = f"Per operation with all of them in flight, {rounds} rounds of {BATCH:,}:"
    return Section(NAME, f"The ledger with {measured.requests:,} requests", [memory, pauses, summary, costs])


def _pause(what: str, times: Latencies) -> tuple[str, ...]:
    return what, f"{times.p50:.2f}", f"{times.p999:.1f}", f"{times.longest / 1e3:.2f}", _within(times.longest)


def _within(us: float) -> str:
    return Reach(us / 1e3, PAUSE_REACH_MS).show(" ms")


def run(requests: int, rounds: int) -> LedgerNumbers:
    """All of it, in this process."""
    ledger = Ledger(request_seconds=REQUEST_SECONDS, tombstone_seconds=TOMBSTONE_SECONDS)
    ips = [f"10.0.{n // 250}.{n % 250 + 1}" for n in range(ENGINES)]
    for n, ip in enumerate(ips):
        ledger.add(f"first-{n}", "model-a", ip, 1, 0.0, WALL_NS)
    times = array("q", bytes(8 * requests))  # made now, so that it does not count below
    gc.collect()
    gc.freeze()
    empty = resident_bytes(os.getpid())
    for n in range(requests):
        request_id, ip, now = _id(1, n), ips[n % ENGINES], n / requests * 60
        began = thread_time_ns()
        ledger.add(request_id, "model-a", ip, n % 9000, now, WALL_NS + n)
        times[n] = thread_time_ns() - began
    full = resident_bytes(os.getpid())
    began = thread_time_ns()
    gc.collect()
    collect = (thread_time_ns() - began) / 1e3
    costs = _moves(ledger, rounds, ips)
    ended = REQUEST_SECONDS + 62
    expiring = _slices(ledger, ended)
    forgetting = _slices(ledger, ended + TOMBSTONE_SECONDS + 1)
    left = resident_bytes(os.getpid()) - empty
    _answers(costs, rounds, ips)
    return LedgerNumbers(
        requests,
        (full - empty) / requests,
        Latencies.of(times, 1e-3),
        collect,
        Latencies.of(expiring, 1e-3),
        Latencies.of(forgetting, 1e-3),
        left,
        costs,
    )


def _id(run_: int, n: int) -> str:
    return f"6ba7{run_:04x}-9dad-41d1-80b4-{n:012x}"


def _slices(ledger: Ledger, now: float) -> array[int]:
    """Times of the slices until nothing is due, in ns."""
    times = array("q")  # a list's floats would keep the memory around them
    while True:
        began = thread_time_ns()
        handled = ledger.expire(now, WALL_NS)
        times.append(thread_time_ns() - began)
        if not handled:
            return times


def _note(costs: dict[str, list[float]], name: str, times: int, work: Callable[[], object]) -> None:
    """Add a round of `work`, which does the thing `times` over."""
    began = thread_time_ns()
    work()
    costs.setdefault(name, []).append((thread_time_ns() - began) / times / 1e3)


def _moves(ledger: Ledger, rounds: int, ips: list[str]) -> dict[str, list[float]]:
    """What clients report, beside all that is in flight."""
    costs: dict[str, list[float]] = {}
    for number in range(rounds):
        ids = [_id(number + 2, n) for n in range(BATCH)]

        def add(ids: list[str] = ids) -> None:
            for n, each in enumerate(ids):
                ledger.add(each, "model-a", ips[n % ENGINES], 7, 61.0, WALL_NS)

        def first_token(ids: list[str] = ids) -> None:
            for each in ids:
                ledger.first_token(each, 61.0, WALL_NS)

        def done(ids: list[str] = ids) -> None:
            for each in ids:
                ledger.done(each, 61.0, WALL_NS)

        for work in (add, first_token, done):
            _note(costs, work.__name__, BATCH, work)
    return costs


def _answers(costs: dict[str, list[float]], rounds: int, ips: list[str]) -> None:
    """What clients ask, in a ledger of its own: other requests in flight have no part in it."""
    ledger = Ledger()
    ids = count()
    for size in (10, 100, 1000):
        name = f"model-{size}"

        def change(engines: int, name: str = name) -> None:
            for ip in ips[:engines]:
                ledger.add(str(next(ids)), name, ip, 7, 61.0, WALL_NS)

        def answer(times: int, name: str = name) -> None:
            for _ in range(times):
                ledger.loads.answer(name)

        change(size)
        for _ in range(rounds):
            ledger.loads.answer(name)
            _note(costs, f"answer of {size:,} engines, none changed", BATCH, partial(answer, BATCH))
            for changed in (1, size):
                turns, spent = max(2000 // changed, 20), 0
                for _ in range(turns):
                    change(changed)
                    began = thread_time_ns()
                    ledger.loads.answer(name)
                    spent += thread_time_ns() - began
                costs.setdefault(f"answer of {size:,} engines, {changed:,} changed", []).append(spent / turns / 1e3)
    ledger.clear()


if __name__ == "__main__":
    sys.stdout.buffer.write(encode(run(int(sys.argv[1]), int(sys.argv[2]))))
