# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""A cluster's engines and the runs of blocks that they hold.

Owned by the index and used under its lock. Always true: a block is in one run at most, and every block of every run is
found by its hash; a run is listed by exactly those engines whose bit its `holders` has, and goes with the last of them.

Runs are found by hash in 61 dicts, once there are many. A single dict of 1,000,000 would stall every caller for 38 ms
when it grows; each of 61 with 33,000 does for 0.4 ms. 61 is prime: hashes with the same low bits spread too.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator, Mapping
from functools import reduce
from heapq import heappop, heappush
from operator import xor

from msgspec import Struct

from kvcache.index.drops import Floor
from kvcache.index.run import MOST_BLOCKS, Run, Touch, common
from kvcache.index.saver import Savers

SHARDS = 61
SPREAD_AT = 2048  # blocks in one dict, until then; spreading them takes 0.3 ms
PEELED = 64  # engines taken out of a mask bit by bit, 0.25 µs each; of more, all engines are looked at, 0.05 µs each


class CachedEngine(Struct, gc=False, eq=False):
    """The entry of an inference server of a cluster, by its full name.

    `runs` are in the order of their last use, the longest ago first.

    No stamp of what it holds is below `oldest`. Once it is dropped it keeps its bit until its runs are gone: those
    stamped up to `floor`, which is -1 until then; later ones go over to the engine that is there now. `cluster` is None
    after that.
    """

    name: str
    cluster: CacheCluster | None
    slot: int
    bit: int
    number: int
    crc: int
    runs: dict[Run, Touch] = {}
    blocks: int = 0
    digest: int = 0
    oldest: int = 2**64
    floor: int = -1
    tick: int = 0


class CacheCluster:
    """A named group of engines. Bit `n` of a mask stands for `slots[n]`, whose name is `names[n]`.

    `live`: the mask of those not dropped.
    `roster`: another object whenever those or `floors` are others.
    `floors`: what the cluster's engines without an entry may use of their addresses' (`Drops.floors`), as of the last
    look.
    `savers`: counts the blocks of each client.
    """

    __slots__ = (
        "engines",
        "floors",
        "free",
        "live",
        "name",
        "names",
        "ranked",
        "roster",
        "savers",
        "shards",
        "slots",
        "spread",
    )

    def __init__(self, name: str, savers: Savers) -> None:
        self.name = name
        self.savers = savers
        self.engines: dict[str, CachedEngine] = {}
        self.ranked: list[tuple[str, int]] = []  # live engines' names and bits, by name
        self.slots: list[CachedEngine | None] = []
        self.names: list[str] = []
        self.free: list[int] = []
        self.live = 0
        self.roster = object()
        self.floors: Mapping[str, Floor] | None = None
        self.shards: list[dict[int, Run]] = [{}] * SHARDS
        self.spread = False

    # Engines

    def open(self, name: str, number: int, crc: int) -> CachedEngine:
        """A new engine without blocks. The lowest free bit is its own: masks stay short."""
        if self.free:
            slot = heappop(self.free)
            self.names[slot] = name
        else:
            slot = len(self.slots)
            self.slots.append(None)
            self.names.append(name)
        engine = CachedEngine(name, self, slot, 1 << slot, number, crc)
        self.slots[slot] = self.engines[name] = engine
        self.live |= engine.bit
        self.roster = object()
        insort(self.ranked, (name, engine.bit))
        return engine

    def drop(self, engine: CachedEngine) -> None:
        """Leave an engine out of every answer from now on. Its runs keep its bit until they are let go."""
        del self.engines[engine.name]
        del self.ranked[bisect_left(self.ranked, (engine.name, engine.bit))]
        self.live ^= engine.bit
        self.roster = object()

    def close(self, engine: CachedEngine) -> None:
        """Forget a dropped engine that holds nothing any more."""
        engine.cluster = None
        self.slots[engine.slot] = None
        heappush(self.free, engine.slot)

    @property
    def empty(self) -> bool:
        """Whether no engine is left, dropped ones included."""
        return len(self.free) == len(self.slots)

    # What engines hold

    @property
    def blocks(self) -> int:
        """Blocks held, each once."""
        return sum(map(len, self.shards)) if self.spread else len(self.shards[0])

    def find(self, hashes: tuple[int, ...], place: int) -> tuple[Run | None, int, int]:
        """The run of the block at `place`, where in the run it is, and how many blocks from there on are the same."""
        first = hashes[place]
        run = self.shards[first % SHARDS].get(first)
        if run is None:
            return None, 0, 0
        blocks = run.hashes
        start = 0 if blocks[0] == first else blocks.index(first)
        if start:
            blocks = blocks[start:]
        return run, start, common(hashes[place : place + len(blocks)], blocks)

    def save(self, engine: CachedEngine, hashes: tuple[int, ...], touch: Touch) -> int:
        """An engine holds these blocks. Returns how many of them are new to it.

        The prompt's end counts as used before its beginning: it is evicted first, and what is left is still a
        beginning. Engines free their own caches in that order.
        """
        before, place = engine.blocks, 0
        touched: list[Run] = []
        while place < len(hashes):
            run, start, size = self.find(hashes, place)
            if run is None:
                run = self._new(hashes, place)
                size = len(run.hashes)
            held = engine.runs.get(run)
            if held is None or held.later(touch) is not held:
                if start:
                    self._cut(run, start)
                if size < len(run.hashes):
                    run = self._cut(run, size)
                self.hold(engine, run, touch)
                touched.append(run)
            place += size
        for run in reversed(touched):
            engine.runs[run] = engine.runs.pop(run)
        return engine.blocks - before

    def hold(self, engine: CachedEngine, run: Run, touch: Touch) -> None:
        """An engine holds a whole run. It stays with the client that was the first to save it there."""
        held = engine.runs.get(run)
        if held is None:
            run.holders |= engine.bit
            engine.blocks += len(run.hashes)
            engine.digest ^= run.digest
            engine.runs[run] = touch
            self.savers.count(touch.saver, engine, len(run.hashes))
        else:
            engine.runs[run] = held.later(touch).by(held.saver)

    def let_go(self, engine: CachedEngine, run: Run, touch: Touch) -> None:
        """An engine no longer holds a run with this touch; it does not list it any more."""
        self.savers.count(touch.saver, engine, -len(run.hashes))
        run.holders ^= engine.bit
        engine.blocks -= len(run.hashes)
        engine.digest ^= run.digest
        if not run.holders:
            for each in run.hashes:
                del self.shards[each % SHARDS][each]

    def _new(self, hashes: tuple[int, ...], place: int) -> Run:
        """A run of the blocks from `place` on that are in none yet."""
        if not self.spread and len(self.shards[0]) >= SPREAD_AT:
            self._spread()
        run, end = Run(), place
        for each in hashes[place : place + MOST_BLOCKS]:
            shard = self.shards[each % SHARDS]
            if each in shard:
                break
            shard[each] = run
            end += 1
        run.hashes = hashes[place:end]
        run.digest = reduce(xor, run.hashes)
        return run

    def _cut(self, run: Run, size: int) -> Run:
        """Cut a run's first `size` blocks off into a run of their own, which is returned.

        For its engines it counts as just used, though it falls due with the rest: several prompts begin with it.
        """
        head = Run(run.hashes[:size], run.holders, reduce(xor, run.hashes[:size]))
        run.hashes = run.hashes[size:]
        run.digest ^= head.digest
        for each in head.hashes:
            self.shards[each % SHARDS][each] = head
        for engine in self._of(run.holders):
            engine.runs[head] = engine.runs[run]
        return head

    def _spread(self) -> None:
        (only, *_) = self.shards
        self.shards = [{} for _ in range(SHARDS)]
        for each, run in only.items():
            self.shards[each % SHARDS][each] = run
        self.spread = True

    # Who holds how much of a prompt

    def matches(self, hashes: tuple[int, ...], most: int) -> list[tuple[str, int]]:
        """Names of engines and how many of the prompt's leading blocks each holds: the longest first, and of
        equal ones the lower name, as text. `most` of them; none that lacks the first block."""
        found: list[tuple[str, int]] = []
        for length, engines in self.ended(hashes):
            if len(found) >= most:
                break
            found += [(name, length) for name in self._lowest(engines, most - len(found))]
        return found

    def ended(self, hashes: tuple[int, ...]) -> list[tuple[int, int]]:
        """How many of the prompt's leading blocks are held, the longest first, and the masks of the engines that hold
        just so many; none that lack the first block."""
        held, place = self.live, 0
        ended: list[tuple[int, int]] = []
        while held and place < len(hashes):
            run, _, size = self.find(hashes, place)
            still = held & run.holders if run is not None else 0
            if still != held:
                if place:
                    ended.append((place, held ^ still))
                held = still
            place += size
        if held and place:
            ended.append((place, held))
        ended.reverse()
        return ended

    def floored(self, floors: Mapping[str, Floor] | None, hashes: tuple[int, ...], held: int) -> dict[str, int]:
        """How many of the prompt's leading blocks the engines without an entry hold that have floors. `held` is the
        mask of those that hold the first block."""
        if floors is not self.floors:
            self.floors, self.roster = floors, object()
        lengths: dict[str, int] = {}
        if not floors:
            return lengths
        path = self._path(hashes)
        for name, floor in floors.items():
            if name in self.engines:
                continue
            engine, length = self.engines.get(floor.address), 0
            if engine is not None and engine.bit & held:
                for run, end in path:
                    touch = engine.runs.get(run)
                    if touch is None or touch.stamp <= floor.stamp:
                        break
                    length = end
            lengths[name] = length
        return lengths

    def _path(self, hashes: tuple[int, ...]) -> list[tuple[Run, int]]:
        """The runs that hold the prompt's leading blocks, and how many of those each ends at."""
        path: list[tuple[Run, int]] = []
        place = 0
        while place < len(hashes):
            run, _, size = self.find(hashes, place)
            if run is None:
                break
            place += size
            path.append((run, place))
        return path

    def at_address(self, address: str) -> list[str]:
        """The names of the live engines at an address."""
        host = f"[{address}]" if ":" in address else address
        found = [address] if address in self.engines else []
        for beginning in (f"{host}/", f"{host}:"):
            place = bisect_left(self.ranked, (beginning, 0))
            while place < len(self.ranked) and self.ranked[place][0].startswith(beginning):
                found.append(self.ranked[place][0])
                place += 1
        return found

    def _lowest(self, engines: int, most: int) -> list[str]:
        """The lowest names of a mask, in their order."""
        if engines.bit_count() <= PEELED:
            return sorted(engine.name for engine in self._of(engines))[:most]
        lowest: list[str] = []
        for name, bit in self.ranked:
            if engines & bit:
                lowest.append(name)
                if len(lowest) == most:
                    break
        return lowest

    def _of(self, engines: int) -> Iterator[CachedEngine]:
        """The engines of a mask."""
        while engines:
            bit = engines & -engines
            engines ^= bit
            engine = self.slots[bit.bit_length() - 1]
            assert engine is not None  # a bit is free once nothing has it
            yield engine
