# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""`POST /v1/load/pick`: what it costs in the handler, by policy, and what a call costs a node.

The handler is measured in a process of its own, `python -m benchmarks.pick TIMES ROUNDS`, which prints its numbers as
JSON: body in, data out, the ledger and the index of caches included. Between two picks a first token and an end come.
"""

from __future__ import annotations

import gc
import subprocess
import sys
from collections import deque
from itertools import count
from random import Random
from time import thread_time_ns
from typing import Any

from msgspec import Struct
from msgspec.json import decode, encode

from benchmarks import wrk
from benchmarks.bench import Bench
from benchmarks.gateway import Gateway
from benchmarks.machine import cpu_seconds, pinned
from benchmarks.openloop_client import OpenLoop, steady
from benchmarks.section import Reach, Section, table
from benchmarks.servers import ROOT
from benchmarks.spread import Spread
from kvcache.index import CacheIndex
from loadstats.ledger import MAX_CANDIDATES, ReplicatedLedger
from loadstats.pick.handlers import PickHandlers
from loadstats.pick.policies import Rule
from metadata_center.http.call import Call

NAME = "pick"
CLUSTER = "model-a"
SIZES = (100, 1000)
REACHES_US = {100: 40, 1000: 150}
DEEPEST = 29  # requests on an engine at the start; 1 at least
FULL = 60  # on every tenth, where some are full
PROMPT = list(range(256))
HOLDERS = 10  # engines with the whole prompt; the others have
STEM = 16  # blocks of it
CONNECTIONS = 32

PLAIN = "score"
STEMMED = f"score, a prompt of {len(PROMPT)} blocks, the first {STEM} of them on every engine"
KINDS: dict[str, dict[str, Any]] = {
    PLAIN: {},
    "score, every engine named": {"candidates": 1.0},
    "score, every other engine named": {"candidates": 0.5},
    "score, `max_queued`, every tenth engine full": {"max_queued": FULL},
    f"score, a prompt of {len(PROMPT)} blocks, on {HOLDERS} engines": {"prompt_hash": PROMPT},
    STEMMED: {"prompt_hash": PROMPT},
    "least_load": {"policy": "least_load"},
    "power_of_two": {"policy": "power_of_two"},
}


class Measured(Struct):
    """µs of CPU time, for each kind of call and number of engines a number per round."""

    costs: dict[str, dict[int, list[float]]]


def measure(bench: Bench) -> Section:
    """The handler on the server's core, then a node there."""
    times, rounds = bench.pick(2000, 200), bench.pick(7, 3)
    with pinned(bench.server_core):
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.pick", str(times), str(rounds)],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            timeout=300,
            check=True,
        )
    return section(decode(done.stdout, type=Measured), times, rounds, _through_the_lane(bench))


def section(measured: Measured, times: int, rounds: int, lane: dict[int, Spread]) -> Section:
    """The tables."""
    rows = [
        (name, *(Spread.of(values).show() for values in by_size.values()), _reaches(name, by_size))
        for name, by_size in measured.costs.items()
    ]
    rows.append(("score, a whole call to a node", *(spread.show() for spread in lane.values()), ""))
    told = (
        f"µs of CPU a call, {rounds} rounds of {times:,}; the last line counts all that the node does, as in *CPU "
        "per call*."
    )
    head = ("policy", *(f"{size:,} engines" for size in SIZES), "reach")
    return Section(NAME, "Choosing an engine", [told, table(head, rows)])


def _reaches(name: str, by_size: dict[int, list[float]]) -> str:
    if name != PLAIN:
        return ""
    return ", ".join(Reach(Spread.of(values).median, REACHES_US[size]).show(" µs") for size, values in by_size.items())


def run(times: int, rounds: int) -> Measured:
    """The handler, in this process."""
    costs: dict[str, dict[int, list[float]]] = {name: {size: [] for size in SIZES} for name in KINDS}
    for name, members in KINDS.items():
        for size in SIZES:
            costs[name][size] = _rounds(size, members, times, rounds, stemmed=name == STEMMED)
    return Measured(costs)


def _rounds(size: int, members: dict[str, Any], times: int, rounds: int, *, stemmed: bool) -> list[float]:
    random = Random(size)
    ledger, index = ReplicatedLedger(), CacheIndex()
    ips = [f"10.0.{n // 250}.{n % 250 + 1}" for n in range(size)]
    ids = (f"6ba7b810-9dad-41d1-80b4-{n:012x}" for n in count())
    prefill: deque[str] = deque()
    decode_: deque[str] = deque()
    for ip in ips:
        for _ in range(random.randint(1, DEEPEST)):
            ledger.add(request_id := next(ids), CLUSTER, ip, random.randrange(9000), 0.0, 1)
            prefill.append(request_id)
    for ip in ips[::10] if "max_queued" in members else ():
        for _ in range(FULL):
            ledger.add(next(ids), CLUSTER, ip, 0, 0.0, 1)
    random.shuffle(prefill)
    while len(decode_) < len(prefill):
        decode_.append(prefill.popleft())
        ledger.first_token(decode_[-1], 0.0, 1)
    for n, ip in enumerate(ips):
        if n < HOLDERS or stemmed:
            index.save(CLUSTER, ip, PROMPT if n < HOLDERS else PROMPT[:STEM], 0.0, 1)

    def cached(cluster: str, hashes: tuple[int, ...]) -> dict[str, int]:
        return dict(index.query(cluster, hashes, MAX_CANDIDATES))

    handlers = PickHandlers(ledger, Rule(), random.random, cached=cached)
    step = {1.0: 1, 0.5: 2}
    body = {**members, "candidates": ips[:: step[members["candidates"]]]} if "candidates" in members else members
    gc.collect()
    gc.freeze()
    costs = []
    for _ in range(rounds):
        spent = 0
        for _ in range(times):
            request_id = next(ids)
            call = Call(
                b"",
                encode({"cluster": CLUSTER, "request_id": request_id, "prompt_length": random.randrange(9000), **body}),
                {},
            )
            began = thread_time_ns()
            handlers.pick(call)
            spent += thread_time_ns() - began
            prefill.append(request_id)
            decode_.append(prefill.popleft())
            ledger.first_token(decode_[-1], 0.0, 1)
            ledger.done(decode_.popleft(), 0.0, 1)
        costs.append(spent / times / 1e3)
    gc.unfreeze()
    return costs


def _through_the_lane(bench: Bench) -> dict[int, Spread]:
    """µs of CPU a call, by number of engines."""
    found = {}
    runs = count(1)
    with bench.servers.node(METADATA_CENTER_LOAD_GC_INTERVAL="1h") as node:
        for size in SIZES:
            cluster = f"model-{size}"
            with OpenLoop(node.port, connections=1) as client:
                gateway = Gateway(0xE000 + size, cluster=cluster, engines=size, per_cluster=size)
                client.run(steady(5000, size), gateway.adds())
            costs = []
            for _ in range(bench.pick(5, 1)):
                settings: dict[str, str | int] = {"RUN": next(runs), "CLUSTER": cluster}
                before = cpu_seconds(node.pid)
                done = wrk.run("pick", node.port, seconds=2, connections=CONNECTIONS, settings=settings)
                costs.append((cpu_seconds(node.pid) - before) / done.requests * 1e6)
                node.forget_log()
            found[size] = Spread.of(costs)
    return found


if __name__ == "__main__":
    sys.stdout.buffer.write(encode(run(int(sys.argv[1]), int(sys.argv[2]))))
