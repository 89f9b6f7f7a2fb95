# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""`POST /v1/load/pick`: what it costs in the handler, by what is asked and by policy, and what a call costs a node.

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
from benchmarks.gateway import LoadGateway
from benchmarks.machine import cpu_seconds, pinned
from benchmarks.openloop_client import OpenLoop, steady
from benchmarks.section import Reach, Section, table
from benchmarks.servers import ROOT
from benchmarks.spread import Spread
from edge.body import Body
from edge.call import Call
from kvcache.index import CacheIndex
from loadstats.ledger import Ledger
from loadstats.pick import policies
from loadstats.pick.handlers import PickHandlers
from loadstats.pick.options import PickOptions
from loadstats.pick.wire import Pick, QuickPick

NAME = "pick"
CLUSTER = "model-a"
SIZES = (100, 1000)
REACHES_US = {100: 40, 1000: 150}
DEEPEST = 29  # requests on an engine at the start; 1 at least
FULL = 60  # on every tenth, where some are full
PROMPT = [Random(block).getrandbits(64) for block in range(256)]
HOLDERS = 10  # engines with the whole prompt; the others have
STEM = 16  # blocks of it
CONNECTIONS = 32

HASHES = f"`prompt_hash`, {len(PROMPT)} blocks"
POLICIES = tuple(policies.POLICIES)
DECODING = "decoding"


class Form(Struct, frozen=True):
    """What a call says, besides what is in every one. Of the engines it names each `named`-th, where any: in the same
    order every time, or in another (`shuffled`)."""

    named: int = 0
    shuffled: bool = False
    full: bool = False
    hashed: bool = False
    stemmed: bool = False


FORMS = {
    "no more": Form(),
    "`candidates`, every engine": Form(named=1),
    "`candidates`, every other engine": Form(named=2),
    "`max_queued`, every tenth engine full": Form(full=True),
    f"{HASHES} on {HOLDERS} engines": Form(hashed=True),
    f"{HASHES} there, {STEM} of them everywhere": Form(hashed=True, stemmed=True),
    "the same with `max_queued` and `candidates`, every engine": Form(1, full=True, hashed=True, stemmed=True),
    "`candidates`, every engine, in a new order": Form(named=1, shuffled=True),
}


class PickNumbers(Struct):
    """µs of CPU time, by form, by number of engines, by policy: a number per round. Beside the policies, what decoding
    the body takes of it."""

    costs: dict[str, dict[int, dict[str, list[float]]]]


def measure(bench: Bench) -> Section:
    """The handler on the server's core, then a node there."""
    times, rounds = bench.pick(1000, 100), bench.pick(7, 3)
    with pinned(bench.server_core):
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.pick", str(times), str(rounds)],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            timeout=300,
            check=True,
        )
    return section(decode(done.stdout, type=PickNumbers), times, rounds, _through_the_lane(bench))


def section(measured: PickNumbers, times: int, rounds: int, lane: dict[int, Spread]) -> Section:
    """The tables."""
    parts = (*POLICIES, DECODING)
    blocks = [
        f"µs of CPU a call in the handler, the median of {rounds} rounds of {times:,}; of each, what decoding the body "
        "takes is told, too. The reach is that of the policies."
    ]
    for size in SIZES:
        rows = []
        for name, by_size in measured.costs.items():
            costs = {part: Spread.of(values).median for part, values in by_size[size].items()}
            reach = Reach(max(costs[policy] for policy in POLICIES), REACHES_US[size]).show(" µs")
            rows.append((name, *(f"{costs[part]:.1f}" for part in parts), reach))
        blocks.append(table((f"{size:,} engines; asked with", *parts, "reach"), rows))
    lanes = " and ".join(f"{spread.show()} µs over {size:,} engines" for size, spread in lane.items())
    blocks.append(f"A whole call by `score` to a node, all that it does counted as in *CPU per call*: {lanes}.")
    return Section(NAME, "Choosing an engine", blocks)


def run(times: int, rounds: int) -> PickNumbers:
    """The handler, in this process."""
    return PickNumbers(
        {name: {size: _rounds(size, form, times, rounds) for size in SIZES} for name, form in FORMS.items()}
    )


def _rounds(size: int, form: Form, times: int, rounds: int) -> dict[str, list[float]]:
    random = Random(size)
    ledger, index = Ledger(), CacheIndex()
    ips = [f"10.0.{n // 250}.{n % 250 + 1}" for n in range(size)]
    ids = (f"6ba7b810-9dad-41d1-80b4-{n:012x}" for n in count())
    prefill: deque[str] = deque()
    decode_: deque[str] = deque()
    for ip in ips:
        for _ in range(random.randint(1, DEEPEST)):
            ledger.add(request_id := next(ids), CLUSTER, ip, random.randrange(9000), 0.0, 1)
            prefill.append(request_id)
    for ip in ips[::10] if form.full else ():
        for _ in range(FULL):
            ledger.add(next(ids), CLUSTER, ip, 0, 0.0, 1)
    random.shuffle(prefill)
    while len(decode_) < len(prefill):
        decode_.append(prefill.popleft())
        ledger.first_token(decode_[-1], 0.0, 1)
    for n, ip in enumerate(ips):
        if n < HOLDERS or form.stemmed:
            index.save(CLUSTER, ip, PROMPT if n < HOLDERS else PROMPT[:STEM], 0.0, 1)

    handlers = PickHandlers(ledger, PickOptions(), random.random, cached=index.lengths)
    read = (Body(Pick) if form.shuffled else Body(QuickPick)).read
    named = ips[:: form.named] if form.named else None
    members: dict[str, Any] = {}
    if form.full:
        members["max_queued"] = FULL
    if form.hashed:
        members["prompt_hash"] = PROMPT

    def spent(part: str) -> int:
        """ns, for one call."""
        body = {"cluster": CLUSTER, "request_id": next(ids), "prompt_length": random.randrange(9000), **members}
        if named and form.shuffled:
            random.shuffle(named)
        if named:
            body["candidates"] = named
        if part in POLICIES[1:]:
            body["policy"] = part
        call = Call(b"", encode(body), {})
        began = thread_time_ns()
        if part == DECODING:
            read(call.body)
            return thread_time_ns() - began
        handlers.pick(call)
        took = thread_time_ns() - began
        prefill.append(body["request_id"])
        decode_.append(prefill.popleft())
        ledger.first_token(decode_[-1], 0.0, 1)
        ledger.done(decode_.popleft(), 0.0, 1)
        return took

    gc.collect()
    gc.freeze()
    costs: dict[str, list[float]] = {part: [] for part in (*POLICIES, DECODING)}
    for _ in range(rounds):
        for part, values in costs.items():
            values.append(sum(spent(part) for _ in range(times)) / times / 1e3)
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
                gateway = LoadGateway(0xE000 + size, cluster=cluster, engines=size, per_cluster=size)
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
