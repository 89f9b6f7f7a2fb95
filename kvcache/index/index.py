# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The index as clients and people use it: save, ask, drop, let time pass.

Thread-safe: one lock guards all state. It is held for less than a millisecond, whatever the index holds; a save that
makes many of a cluster's dicts grow at once was seen to take 1.7 ms. A query of 16,384 blocks takes 0.4 ms; one that
was made to be slow, of as many blocks from the middles of runs, takes 60 ms. A save of as many takes 8 ms, and lets
others in sixteen times.

What is forgotten, and when:

- Blocks are forgotten in runs (see `run.py`), the least recently saved first: of an engine that holds more than its
  bound, and of all engines the one whose oldest run is the oldest, to the second. Queries are no use: the engine has
  used a block when it is saved again.
- A run falls due `ttl_seconds` after its last save, once all that is before it in its engine's order has.
- A dropped engine is gone from every answer at once. Its blocks count against the bounds until `expire` or the
  next saves have freed them, in slices.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import reduce
from operator import or_
from threading import Lock

from msgspec import Struct

from kvcache.index.copies import CacheCopies, CacheCopy, CacheDropped
from kvcache.index.counts import CacheCounts
from kvcache.index.lengths import KnownEngines, Lengths
from kvcache.index.run import Touch
from kvcache.index.saver import Saver
from kvcache.index.store import CacheStore

PART = 1024  # blocks saved under one hold of the lock: 0.5 ms
SLICE = 256  # blocks forgotten, or engines dropped, under one hold: at most 0.4 ms


class CacheHolding(Struct, frozen=True):
    """How much an engine's cache holds, as far as the index knows.

    `blocks`: how many blocks.
    `runs`: how many runs they are kept in.
    `saved_seconds`: how long ago one was saved last; None if it holds none.
    """

    blocks: int
    runs: int
    saved_seconds: int | None


class CacheIndex:
    """All clusters. Hashes are integers from 0 to 2**64 - 1, each standing for a prompt up to one of its blocks.

    `engine` is an engine's full name. An engine without an entry of its own uses its address's, if it has a port or a
    rank: `lengths` applies that rule. `query` lists the entries.

    `max_blocks` bounds the blocks of all engines together, `max_engine_blocks` those of one, `max_engines` the
    engines of all clusters: what is too much makes the least recently used go. Of one save, no more blocks are taken
    than fit. `now` is a monotonic time in seconds; `stamp` is an integer that grows with time and means the same on
    every node.
    """

    def __init__(
        self,
        *,
        ttl_seconds: float = 3600.0,
        max_blocks: int = 4_000_000,
        max_engine_blocks: int = 65_536,
        max_engines: int = 100_000,
        client_share: float = 0.25,
    ) -> None:
        self._ttl_ticks = max(1, round(ttl_seconds))
        self._most_blocks = min(max_blocks, max_engine_blocks)  # of one save
        self._lock = Lock()
        self._store = CacheStore(
            max_blocks=max_blocks,
            max_engine_blocks=max_engine_blocks,
            max_engines=max_engines,
            client_share=client_share,
        )
        self._copies = CacheCopies(self._store, self._lock)

    @property
    def nodes(self) -> int:
        """How many nodes are known, this one included. Each client's share is divided by it."""
        return self._store.savers.nodes

    @nodes.setter
    def nodes(self, value: int) -> None:
        self._store.savers.nodes = max(1, value)

    def savers(self) -> list[Saver]:
        """Return the clients whose saves hold blocks here, to be read and not to be changed."""
        with self._lock:
            return list(self._store.savers)

    # What clients report

    def save(
        self,
        cluster: str,
        engine: str,
        hashes: Sequence[int],
        now: float,
        stamp: int,
        age_seconds: float = 0.0,
        client: str = "",
    ) -> int:
        """An engine holds these blocks of a prompt, since `age_seconds` ago. Returns how many are new to it.

        `client` is who says so, on this node. Once more than half of the index is used, what it saves beyond its share
        makes its own oldest blocks go.

        Nothing is taken where the engine was dropped at `stamp` or later, or where it is older than blocks get.
        """
        blocks = tuple(hashes[: self._most_blocks])
        fresh = 0
        # The end first, as within a slice: see `CacheCluster.save`.
        for start in reversed(range(0, len(blocks), PART)):
            with self._lock:
                tick = self._store.at(now)
                touch = Touch(stamp, tick - int(age_seconds), self._store.savers.of(client))
                if touch.tick <= tick - self._ttl_ticks or stamp <= self._store.drops.last(cluster, engine):
                    break
                fresh += self._store.save(cluster, engine, blocks[start : start + PART], touch)
                self._store.counts.saves += start == 0
        return fresh

    def drop(self, cluster: str, engine: str | None, stamp: int, now: float, age_seconds: float = 0.0) -> bool:
        """An engine, or with None every engine of the cluster, lost its cache `age_seconds` ago: what was saved up to
        `stamp` is gone. What was saved after it stands, and is missing from answers until the two are told apart.

        Returns whether there was an entry of it. Those of other engines at its address stay.
        """
        with self._lock:
            tick = self._store.at(now)
            since = tick - int(age_seconds)
            if since <= tick - self._ttl_ticks or not self._store.drops.add(cluster, engine, stamp, since):
                return False
            self._store.counts.drops += 1
            known = self._store.clusters.get(cluster)
            names = [] if known is None else list(known.engines) if engine is None else [engine]
        gone = 0
        for start in range(0, len(names), SLICE):
            with self._lock:
                known = self._store.clusters.get(cluster)
                for name in names[start : start + SLICE]:
                    entry = None if known is None else known.engines.get(name)
                    if entry is not None and entry.oldest <= stamp:
                        self._store.drop(entry, stamp)
                        gone += 1
        return gone > 0

    # What they ask

    def query(self, cluster: str, hashes: Sequence[int], topk: int) -> list[tuple[str, int]]:
        """The engines that hold the most leading blocks of a prompt, and how many: at most `topk`, the longest first,
        of equal ones the lower name, as text. Whoever lacks the first block is left out."""
        blocks = tuple(hashes)
        with self._lock:
            known = self._store.clusters.get(cluster)
            found = known.matches(blocks, topk) if known is not None else []
            self._asked(len(blocks), found[0][1] if found else 0)
            return found

    def lengths(self, cluster: str, hashes: tuple[int, ...]) -> Lengths | None:
        """How many leading blocks of a prompt the engines of a cluster hold; None where none holds any."""
        with self._lock:
            known = self._store.clusters.get(cluster)
            ended = known.ended(hashes) if known is not None else []
            self._asked(len(hashes), ended[0][0] if ended else 0)
            if known is None or not ended:
                return None
            floors = self._store.drops.floors.get(cluster)
            floored = known.floored(floors, hashes, reduce(or_, (mask for _, mask in ended)))
            live, names, engines, roster = known.live, known.names.copy(), known.engines, known.roster
        if floors is None:
            return Lengths.of(ended, live, names, engines, roster)
        return Lengths.of(ended, live, names, KnownEngines(engines, floors), roster, floored)

    def at_address(self, cluster: str, address: str) -> list[str]:
        """The names of the engines at an address that have an entry."""
        with self._lock:
            known = self._store.clusters.get(cluster)
            return [] if known is None else known.at_address(address)

    def clusters(self) -> list[str]:
        """Return the names of the clusters whose engines hold something."""
        return list(self._store.clusters)

    def engines(self, cluster: str) -> list[str]:
        """Return the names of a cluster's engines that have an entry."""
        with self._lock:
            known = self._store.clusters.get(cluster)
            return [] if known is None else list(known.engines)

    def has(self, cluster: str, engine: str) -> bool:
        """Return whether an engine has an entry of its own."""
        with self._lock:
            known = self._store.clusters.get(cluster)
            return known is not None and engine in known.engines

    def holding(self, cluster: str, engine: str, now: float) -> CacheHolding | None:
        """Return how much an engine holds; None if it has no entry of its own."""
        with self._lock:
            known = self._store.clusters.get(cluster)
            entry = None if known is None else known.engines.get(engine)
            if entry is None:
                return None
            last = next(reversed(entry.runs.values()), None)
            seconds = None if last is None else max(0, self._store.at(now) - last.tick)
            return CacheHolding(entry.blocks, len(entry.runs), seconds)

    def counts(self) -> CacheCounts:
        """Return the numbers of this moment."""
        with self._lock:
            return replace(self._store.counts, clusters=len(self._store.clusters))

    def blocks(self) -> int:
        """Return how many blocks are held, each counted once. Read cluster by cluster, so not at one moment."""
        total = 0
        for name in list(self._store.clusters):
            with self._lock:
                known = self._store.clusters.get(name)
                total += 0 if known is None else known.blocks
        return total

    # What time does

    def expire(self, now: float) -> int:
        """Free what was dropped and forget what is too old, one slice of it. Returns how much was handled: call again
        until 0. Costs what is due, never a walk over what lives."""
        with self._lock:
            due = self._store.at(now) - self._ttl_ticks
            if handled := self._store.free(SLICE):
                return handled
            if handled := self._store.drops.forget(due, SLICE):
                return handled
            if self._store.emptied:
                self._store.emptied.pop()
                return 1
            engine = self._store.ages.oldest()
            if engine is None:
                return 0
            gone = self._store.evict(engine, SLICE, due)
            self._store.counts.expired += gone
            return gone

    # What peers compare and pull: see `CacheCopies`

    def digests(self) -> list[int]:
        """Return 64 bits for each bucket: two indexes whose engines hold the same blocks have the same."""
        return self._copies.digests()

    def copies(self, bucket: int, now: float) -> Iterator[CacheCopy]:
        """Yield all that the engines of a bucket hold."""
        return self._copies.of(bucket, now)

    def drops(self, now: float) -> list[CacheDropped]:
        """Return the drops that are remembered, those heard of longest ago first."""
        return self._copies.drops(now)

    def merge(self, copies: Iterable[CacheCopy], now: float) -> int:
        """Take in what another index holds. Returns how many blocks are new to their engines here."""
        return sum(
            self.save(copy.cluster, copy.engine, copy.hashes, now, copy.stamp, copy.age_seconds) for copy in copies
        )

    def merge_drops(self, drops: Iterable[CacheDropped], now: float) -> None:
        """Take in what another index knows to be lost. Comes before `merge`, which then leaves it out."""
        for each in drops:
            self.drop(each.cluster, each.engine, each.stamp, now, each.age_seconds)

    # Under the lock

    def _asked(self, blocks: int, hits: int) -> None:
        counts = self._store.counts
        counts.queries += 1
        counts.asked_blocks += blocks
        counts.hit_blocks += hits
