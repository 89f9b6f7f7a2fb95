# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The index of KV caches by itself: the cost of calls, bytes per block, the longest pauses, and how much of real
prompts a bounded index finds.

Measured in a process of its own, `python -m benchmarks.kvcache BLOCKS ROUNDS TRACE`, which prints its numbers as JSON.
The calls go through the handlers, body in and data out, without a connection.
"""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from array import array
from collections.abc import Sequence
from pathlib import Path
from random import Random
from time import thread_time_ns
from typing import Any

import msgspec
from msgspec import Struct
from msgspec.json import decode, encode

from benchmarks.bench import Bench
from benchmarks.machine import pinned, resident_bytes
from benchmarks.section import Curve, Reach, Section, table
from benchmarks.servers import ROOT
from benchmarks.spread import Latencies, Spread
from edge.call import Call
from kvcache.handlers import CacheHandlers
from kvcache.index import CacheIndex

NAME = "kvcache"
TRACE = ROOT.parent / "shared" / "traces" / "mooncake_conversation.jsonl"
ENGINES = 1000
PROMPT = 256  # blocks
STEM = 16  # blocks that all prompts on all engines begin with
ASKED = 200  # prompts in turn, so that the processor's caches have lost each by its next turn
MANY = "topk 1,000"
QUERY_REACH_US = 60
BYTES_REACH = 200
PAUSE_REACH_MS = 10
# Replaying the trace.
TRACE_ENGINES = 16
SHARES = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.7, 1.0)  # of what the unbounded index holds in the end

Body = dict[str, Any]


class HitShares(Struct):
    """Of all blocks asked for, those that the best engine had, by the index's bound; `held` is all there ever was."""

    requests: int
    asked: int
    held: int
    unbounded: float
    index: list[float]  # for each of SHARES, bounded as a whole
    engine: list[float]  # and by engine


class CacheNumbers(Struct):
    """Times in µs of CPU time. `costs` has a number per round for each call."""

    blocks: int
    bytes_each: float
    bytes_more: float  # of a block for any engine but its first
    collect: float
    saves: Latencies
    expiring: Latencies
    costs: dict[str, list[float]]
    hits: HitShares | None


def measure(bench: Bench) -> Section:
    """Run the measuring process on the server's core."""
    blocks, rounds = bench.pick(1_000_000, 100_000), bench.pick(7, 3)
    with pinned(bench.server_core):
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.kvcache", str(blocks), str(rounds), str(TRACE)],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            timeout=300,
            check=True,
        )
    return section(decode(done.stdout, type=CacheNumbers), rounds)


def section(measured: CacheNumbers, rounds: int) -> Section:
    """The tables and the curves."""
    memory = (
        f"{measured.blocks:,} blocks, in prompts of {PROMPT}, each held by one of {ENGINES:,} engines, take "
        f"{measured.bytes_each:.0f} resident bytes each ({Reach(measured.bytes_each, BYTES_REACH).show(' bytes')}), "
        f"and {measured.bytes_more:.0f} more for every other engine that holds one."
    )
    pauses = table(
        ("CPU time of", "median, µs", "p99.9, µs", "longest, ms", "reach"),
        [
            _pause(f"a save of {PROMPT} new blocks while the index grows", measured.saves),
            ("a full garbage collection", "", "", f"{measured.collect / 1e3:.2f}", _within(measured.collect)),
            _pause("a slice of expiry", measured.expiring),
        ],
    )
    summary = (
        f"Per call through the handler, reading the body included, {rounds} rounds over {ASKED} prompts. All prompts "
        f"of the last three lines have their first {STEM} blocks in common, which all engines hold:"
    )
    costs = table(
        ("call", "µs CPU", "reach"),
        [(name, (spread := Spread.of(values)).show(), _reach(name, spread)) for name, values in measured.costs.items()],
    )
    made = Section(NAME, "The index of KV caches", [memory, pauses, summary, costs])
    if measured.hits is None:
        made.blocks.append("How much a bounded index finds was not measured: the trace is not here.")
    else:
        _add_hits(made, measured.hits)
    return made


def _add_hits(made: Section, hits: HitShares) -> None:
    bounds = [round(share * hits.held) for share in SHARES]
    made.blocks += [
        f"An hour of chat (Mooncake's trace: {hits.requests:,} requests, {hits.asked:,} blocks of 512 tokens) on "
        f"{TRACE_ENGINES} engines, each request sent to the one that holds most of its prompt. Unbounded, the index "
        f"ends with {hits.held:,} blocks and found {hits.unbounded:.1%} of those asked for, all there was to find. "
        f"Bounded, the least recently used go:",
        table(
            ("blocks at most", "of all", "found, bounded as a whole", "found, bounded by engine"),
            [
                (f"{bound:,}", f"{share:.1%}", f"{whole:.1%}", f"{each:.1%}")
                for share, bound, whole, each in zip(SHARES, bounds, hits.index, hits.engine, strict=True)
            ],
        ),
    ]
    made.curves = [
        Curve("bounded as a whole", bounds, hits.index),
        Curve("bounded by engine", bounds, hits.engine),
        Curve("unbounded", bounds, [hits.unbounded] * len(bounds)),
    ]
    made.curves_title = ("blocks that the index holds at most", "found of the blocks asked for")


def _reach(name: str, cost: Spread) -> str:
    return Reach(cost.median, QUERY_REACH_US).show(" µs") if name.startswith("query") and MANY not in name else ""


def _pause(what: str, times: Latencies) -> tuple[str, ...]:
    return what, f"{times.p50:.2f}", f"{times.p999:.1f}", f"{times.longest / 1e3:.2f}", _within(times.longest)


def _within(us: float) -> str:
    return Reach(us / 1e3, PAUSE_REACH_MS).show(" ms")


# In the measuring process


def run(blocks: int, rounds: int, trace: Path) -> CacheNumbers:
    """All of it."""
    random = Random(1)
    ips = [f"10.0.{n // 250}.{n % 250 + 1}" for n in range(ENGINES)]
    prompts = blocks // PROMPT
    index = CacheIndex(max_blocks=10 * blocks)
    times = array("q", bytes(8 * prompts))  # made now, so that it does not count below
    stem = [random.getrandbits(64) for _ in range(STEM)]
    asked: list[list[int]] = []
    gc.collect()
    gc.freeze()
    empty = resident_bytes(os.getpid())
    for n in range(prompts):
        hashes = decode(encode([random.getrandbits(64) for _ in range(PROMPT)]), type=tuple[int, ...])
        began = thread_time_ns()
        index.save("model-a", ips[n % ENGINES], hashes, n / prompts * 60, n)
        times[n] = thread_time_ns() - began
        if n % (prompts // ASKED) == 0 and len(asked) < ASKED:
            asked.append(list(hashes))
    full = resident_bytes(os.getpid())
    began = thread_time_ns()
    gc.collect()
    collect = (thread_time_ns() - began) / 1e3
    more = _more(index, asked, ips)
    costs = _costs(index, asked, stem, ips, rounds)
    expiring = array("q")
    while True:
        began = thread_time_ns()
        handled = index.expire(1e6)
        expiring.append(thread_time_ns() - began)
        if not handled:
            break
    gc.unfreeze()
    return CacheNumbers(
        blocks=prompts * PROMPT,
        bytes_each=(full - empty) / (prompts * PROMPT),
        bytes_more=more,
        collect=collect,
        saves=Latencies.of(times, 1e-3),
        expiring=Latencies.of(expiring, 1e-3),
        costs=costs,
        hits=_hits(trace) if trace.is_file() else None,
    )


def _more(index: CacheIndex, asked: list[list[int]], ips: list[str]) -> float:
    """Bytes a block for engines beyond its first: 20 others hold each of the prompts that are asked for."""
    before, pairs = resident_bytes(os.getpid()), 0
    for n, hashes in enumerate(asked):
        for other in range(20):
            pairs += index.save("model-a", ips[(n * 37 + other + 1) % ENGINES], hashes, 61.0, 10**7 + n)
    return (resident_bytes(os.getpid()) - before) / pairs


def _costs(
    index: CacheIndex, asked: list[list[int]], stem: list[int], ips: list[str], rounds: int
) -> dict[str, list[float]]:
    """What calls cost beside all that is held."""
    handlers = CacheHandlers(index, now=lambda: 62.0)
    random = Random(2)
    queries = [{"cluster": "model-a", "prompt_hash": hashes, "topk": 10} for hashes in asked]
    again = [{"cluster": "model-a", "prompt_hash": hashes, "ip": ips[n]} for n, hashes in enumerate(asked)]
    common: list[Body] = []
    for n in range(ENGINES):
        tail = [random.getrandbits(64) for _ in range(PROMPT - STEM)]
        common.append({"cluster": "model-b", "prompt_hash": stem + tail, "ip": ips[n]})
    for body in common:
        handlers.save(Call(b"", encode(body), {}))
    alike = [{**body, "topk": 10} for body in common[:: ENGINES // ASKED]]
    parted = [{**body, "prompt_hash": [*body["prompt_hash"][:200], *range(56)]} for body in alike]
    costs: dict[str, list[float]] = {}
    for number in range(rounds):
        fresh = [{**body, "prompt_hash": [random.getrandbits(64) for _ in range(PROMPT)]} for body in again]
        for name, handler, bodies in (
            (f"save of {PROMPT} new blocks", handlers.save, fresh),
            (f"save of {PROMPT} blocks again", handlers.save, again),
            (f"query of {PROMPT} blocks that 20 engines hold", handlers.query, queries),
            (f"query of {PROMPT} blocks that nobody holds", handlers.query, _unknown(queries, number)),
            (f"query of {PROMPT} blocks, {STEM} of them on 1,000 engines", handlers.query, alike),
            ("query of these that parts after 200", handlers.query, parted),
            (f"query of these, {MANY}", handlers.query, [{**body, "topk": 1000} for body in alike]),
        ):
            calls = [Call(b"", encode(body), {}) for body in bodies]
            began = thread_time_ns()
            for call in calls:
                handler(call)
            costs.setdefault(name, []).append((thread_time_ns() - began) / len(calls) / 1e3)
    return costs


def _unknown(queries: Sequence[Body], number: int) -> list[Body]:
    random = Random(1000 + number)
    return [{**body, "prompt_hash": [random.getrandbits(64) for _ in range(PROMPT)]} for body in queries]


class PromptLine(Struct):
    """One request of the trace."""

    timestamp: int
    hash_ids: tuple[int, ...]


def _hits(trace: Path) -> HitShares:
    lines = [msgspec.json.decode(line, type=PromptLine) for line in trace.read_bytes().splitlines()]
    unbounded = _replay(lines)
    counts = unbounded.counts()
    bounds = [round(share * counts.held_blocks) for share in SHARES]
    return HitShares(
        requests=len(lines),
        asked=counts.asked_blocks,
        held=counts.held_blocks,
        unbounded=_share(unbounded),
        index=[_share(_replay(lines, max_blocks=bound)) for bound in bounds],
        engine=[_share(_replay(lines, max_engine_blocks=max(1, bound // TRACE_ENGINES))) for bound in bounds],
    )


def _replay(lines: list[PromptLine], **bound: int) -> CacheIndex:
    """Return an index after the trace.

    A prompt goes to the engines in turn if only its first block is known, which all prompts share.
    """
    index = CacheIndex(ttl_seconds=1e9, **bound)
    for number, line in enumerate(lines):
        found = index.query("model", line.hash_ids, 1)
        ip = found[0][0] if found and found[0][1] > 1 else f"10.0.0.{number % TRACE_ENGINES}"
        index.save("model", ip, line.hash_ids, line.timestamp / 1e3, number)
    return index


def _share(index: CacheIndex) -> float:
    counts = index.counts()
    return counts.hit_blocks / counts.asked_blocks


if __name__ == "__main__":
    sys.stdout.buffer.write(encode(run(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))))
