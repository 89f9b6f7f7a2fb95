# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What all clusters' engines hold, within bounds. It evicts what is too much.

Owned by the index and used under its lock. Always true: no engine holds more than its bound and all together no more
than theirs, but for what dropped engines still hold.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from itertools import count, islice
from zlib import crc32

from kvcache.index.ages import Ages
from kvcache.index.cluster import CacheCluster, CachedEngine
from kvcache.index.counts import CacheCounts
from kvcache.index.drops import Drops
from kvcache.index.run import MOST_BLOCKS, Run, Touch
from kvcache.index.saver import Saver, Savers

BUCKETS = 256
MAX_DROPS = 100_000
ENGINES_LOOKED = 8  # and runs of each, in search of a client's oldest: 0.1 ms in all
RUNS_LOOKED = 256
ALWAYS = 2**64


class CacheStore:
    """All clusters, and what was dropped and is not yet freed.

    `clusters`: by name.
    `buckets`: engines by number, the dropped too, in the bucket of the CRC-32 of cluster and name.
    `ages`: the live engines by the age of what they hold.
    `drops`: the latest drops.
    `dropped`: engines that are out of service and still hold something.
    `emptied`: dicts of clusters that have gone; to free all 61 of one at once can take 10 ms.
    `counts`: the numbers; `clusters` in it is not kept.
    `savers`: the clients whose saves hold something here.
    """

    def __init__(self, *, max_blocks: int, max_engine_blocks: int, max_engines: int, client_share: float) -> None:
        self._max_blocks = max_blocks
        self._max_engine_blocks = max_engine_blocks
        self._max_engines = max_engines
        self._numbers = count()
        self._tick = 0
        self.clusters: dict[str, CacheCluster] = {}
        self.buckets: list[dict[int, CachedEngine]] = [{} for _ in range(BUCKETS)]
        self.ages = Ages()
        self.drops = Drops(MAX_DROPS)
        self.dropped: deque[CachedEngine] = deque()
        self.emptied: list[dict[int, Run]] = []
        self.counts = CacheCounts()
        self.savers = Savers(max_blocks, client_share)

    def at(self, now: float) -> int:
        """Return the tick of a time: whole seconds that never go back."""
        self._tick = max(self._tick, int(now))
        return self._tick

    def save(self, cluster: str, name: str, blocks: tuple[int, ...], touch: Touch) -> int:
        """Note that an engine holds these blocks. Returns how many are new to it."""
        if self.dropped:
            self.free(2 * MOST_BLOCKS)
        engine = self.engine(cluster, name, touch)
        assert engine.cluster is not None  # it is live
        fresh = engine.cluster.save(engine, blocks, touch)
        self.counts.held_blocks += fresh
        if touch.saver is not None and fresh:
            self._give_back(engine, touch.saver, fresh)
        self._shrink(engine)
        return fresh

    def engine(self, cluster_name: str, name: str, touch: Touch) -> CachedEngine:
        """Return the live engine, opened if there is none, for something stamped so to be added to."""
        cluster = self.clusters.get(cluster_name)
        if cluster is None:
            cluster = self.clusters[cluster_name] = CacheCluster(cluster_name, self.savers)
        engine = cluster.engines.get(name)
        if engine is None:
            if self.counts.engines >= self._max_engines and (oldest := self.ages.oldest()) is not None:
                self.drop(oldest, ALWAYS)
            crc = crc32(f"{cluster_name}\0{name}".encode())
            engine = cluster.open(name, next(self._numbers), crc)
            self.buckets[crc % BUCKETS][engine.number] = engine
            self.ages.add(engine, touch.tick)
            self.counts.engines += 1
        engine.oldest = min(engine.oldest, touch.stamp)
        return engine

    def _give_back(self, engine: CachedEngine, saver: Saver, fresh: int) -> None:
        """Evict blocks of a client that holds more than its share, if it has just saved some to an engine.

        Its oldest go, as far as a short search finds them, twice as many as it saved. Else it is what it just saved.
        """
        excess = self.savers.excess(saver, self.counts.held_blocks)
        if excess <= 0:
            return
        gone, most = 0, min(excess, 2 * fresh)
        for each in list(islice(saver.engines, ENGINES_LOOKED)):
            if gone >= most:
                break
            saver.engines[each] = saver.engines.pop(each)
            if each.floor < 0:  # it is live
                gone += self._evict_of(saver, each, most - gone, list(islice(each.runs.items(), RUNS_LOOKED)))
        if gone < min(excess, fresh) and engine.runs:
            self._evict_of(saver, engine, min(excess, fresh) - gone, reversed(engine.runs.items()))

    def _evict_of(self, saver: Saver, engine: CachedEngine, blocks: int, runs: Iterable[tuple[Run, Touch]]) -> int:
        """Let a client's runs among these go, together at least so many blocks. Returns how many blocks went."""
        cluster, gone = engine.cluster, 0
        assert cluster is not None  # it is live
        found: list[tuple[Run, Touch]] = []
        for run, touch in runs:
            if gone >= blocks:
                break
            if touch.saver is saver:
                found.append((run, touch))
                gone += len(run.hashes)
        for run, touch in found:
            del engine.runs[run]
            cluster.let_go(engine, run, touch)
        self.counts.held_blocks -= gone
        self.counts.evicted_client_share += gone
        self._close_empty(engine)
        return gone

    def _close_empty(self, engine: CachedEngine) -> None:
        """Forget a live engine that holds nothing."""
        if not engine.runs:
            self._leave(engine)
            self._close(engine)

    def _shrink(self, engine: CachedEngine) -> None:
        """Evict until the bounds hold. What was saved last goes last, and alone it keeps within them."""
        self._bound(engine)
        counts = self.counts
        while (excess := counts.held_blocks - self._max_blocks) > 0:
            if self.dropped:
                self.free(excess)
            else:
                oldest = self.ages.oldest(last=engine)
                assert oldest is not None  # some engine holds what is too much
                counts.evicted_index_full += self.evict(oldest, excess, oldest.tick)

    def _bound(self, engine: CachedEngine) -> None:
        if (excess := engine.blocks - self._max_engine_blocks) > 0:
            self.counts.evicted_engine_full += self.evict(engine, excess)

    def evict(self, engine: CachedEngine, blocks: int, due: int | None = None) -> int:
        """Let an engine's oldest runs go, together at least so many blocks, or where `due` is given only those last
        touched by then. Returns how many blocks went."""
        cluster, gone = engine.cluster, 0
        assert cluster is not None  # it is live
        runs: list[Run] = []
        for run, touch in engine.runs.items():
            if gone >= blocks or (due is not None and touch.tick > due):
                break
            runs.append(run)
            gone += len(run.hashes)
        for run in runs:
            cluster.let_go(engine, run, engine.runs.pop(run))
        self.counts.held_blocks -= gone
        self._close_empty(engine)
        return gone

    def drop(self, engine: CachedEngine, floor: int) -> None:
        """Take an engine out of service, with what is stamped up to `floor`."""
        engine.floor = floor
        self._leave(engine)
        self.dropped.append(engine)

    def _leave(self, engine: CachedEngine) -> None:
        assert engine.cluster is not None  # it is live
        engine.cluster.drop(engine)
        self.ages.remove(engine)
        self.counts.engines -= 1

    def _close(self, engine: CachedEngine) -> None:
        """Forget an engine that is out of service and holds nothing, and its cluster with the last."""
        cluster = engine.cluster
        assert cluster is not None  # this happens once
        cluster.close(engine)
        del self.buckets[engine.crc % BUCKETS][engine.number]
        if cluster.empty:
            del self.clusters[cluster.name]
            if cluster.spread:
                self.emptied += cluster.shards

    def free(self, blocks: int) -> int:
        """Free about so many blocks of dropped engines. Returns how many steps that took, 0 where none is left."""
        steps = gone = 0
        while self.dropped and gone < blocks and steps < blocks:
            steps += 1
            engine = self.dropped[0]
            cluster = engine.cluster
            assert cluster is not None  # until it is closed, below
            if not engine.runs:
                self.dropped.popleft()
                self._close(engine)
                continue
            run, touch = engine.runs.popitem()
            if touch.stamp > engine.floor and touch.stamp > self.drops.last(cluster.name, engine.name):
                heir = self.engine(cluster.name, engine.name, touch)
                before = heir.blocks
                cluster.hold(heir, run, touch)
                self.counts.held_blocks += heir.blocks - before
                self._bound(heir)
            cluster.let_go(engine, run, touch)
            gone += len(run.hashes)
        self.counts.held_blocks -= gone
        self.counts.dropped += gone
        return steps
