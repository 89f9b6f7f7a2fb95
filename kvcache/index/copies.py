# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What an index holds, as peers compare and copy it. Owned by the index; it takes the index's lock.

What peers report of clients' saves and drops goes through the index's `save` and `drop` like those of clients: both
are idempotent and free of order. An engine holds a block if the latest stamp of a save of it is later than the latest
stamp of a drop of the engine or its cluster; neither depends on what came first.

What is guaranteed: two indexes that were given the same saves and drops, in any order and any number of times, hold the
same blocks of the same engines and have the same digests once `expire` has returned 0, as long as

- neither has evicted anything to keep its bounds, or forgotten a drop for want of room (`MAX_DROPS`),
- neither has let anything expire: the same save falls due on both at about the same time, but each looks when it looks,
- a late save comes with its age: one that is older than `ttl_seconds` is refused, and drops are remembered as long.

Evicting and expiring are each index's own decisions. The order in which runs are evicted depends on the order of the
saves, so that two indexes at their bounds differ for good, in hints, not in errors: digests then tell who differs, and
merging brings back to one what the other still holds, for as long as there is room.
"""

from __future__ import annotations

from collections.abc import Iterator
from threading import Lock
from typing import Annotated

from msgspec import Meta, Struct

from kvcache.index.cluster import CachedEngine
from kvcache.index.run import MOST_BLOCKS
from kvcache.index.store import CacheStore

_MASK = 2**64 - 1

Name = Annotated[str, Meta(min_length=1, max_length=256)]
Stamp = Annotated[int, Meta(ge=0)]  # who takes copies in passes over those of impossible stamps
Seconds = Annotated[int, Meta(ge=0)]
LATEST_AGE_SECONDS = 2**31  # what is written; it grows while it is here


class CacheCopy(Struct, frozen=True, array_like=True, gc=False):
    """A run that an engine holds, as it travels. Ages travel, not clock readings."""

    cluster: Name
    engine: Name
    stamp: Stamp
    age_seconds: Seconds
    hashes: Annotated[tuple[Annotated[int, Meta(ge=0)], ...], Meta(max_length=MOST_BLOCKS)]


class CacheDropped(Struct, frozen=True, array_like=True, gc=False):
    """The last time an engine, or with None every engine of a cluster, lost its cache, as it travels."""

    cluster: Name
    engine: Name | None
    stamp: Stamp
    age_seconds: Seconds


class CacheCopies:
    """The content of a store, read under its index's lock. Each engine is, with all it holds, in one of 256 buckets by
    the CRC-32 of its cluster and name."""

    def __init__(self, store: CacheStore, lock: Lock) -> None:
        self._store = store
        self._lock = lock

    def digests(self) -> list[int]:
        """64 bits for each bucket: two indexes whose engines hold the same blocks have the same. Read bucket by bucket,
        0.4 µs an engine; keeping it up costs 25 ns for each block that is new to the index, none for others."""
        digests: list[int] = []
        for bucket in self._store.buckets:
            with self._lock:
                digest = 0
                for engine in bucket.values():
                    if engine.floor < 0:  # it is live
                        digest ^= fingerprint(engine)
            digests.append(digest)
        return digests

    def of(self, bucket: int, now: float) -> Iterator[CacheCopy]:
        """All that the engines of a bucket hold, for each engine in the order of its last use. Each engine is read at
        one moment, 0.1 µs a run; the whole is not of one moment.

        Of an engine that was dropped, what was saved later is told from here on, not when it has gone over to the
        engine that is there now: that one is listed after it, or will be.
        """
        read: set[int] = set()
        while fresh := [number for number in list(self._store.buckets[bucket]) if number not in read]:
            read.update(fresh)
            for number in fresh:
                with self._lock:
                    tick = self._store.at(now)
                    engine = self._store.buckets[bucket].get(number)
                    if engine is None or engine.cluster is None:
                        continue
                    cluster, name = engine.cluster.name, engine.name
                    lost = max(engine.floor, self._store.drops.last(cluster, name))
                    runs = [(run.hashes, touch) for run, touch in engine.runs.items() if touch.stamp > lost]
                for hashes, touch in runs:
                    yield CacheCopy(cluster, name, touch.stamp, _age(tick, touch.tick), hashes)

    def drops(self, now: float) -> list[CacheDropped]:
        """The drops that are remembered, those heard of longest ago first."""
        with self._lock:
            tick = self._store.at(now)
            return [
                CacheDropped(cluster, name, drop.stamp, _age(tick, drop.tick))
                for (cluster, name), drop in self._store.drops
            ]


def _age(tick: int, since: int) -> int:
    return min(max(0, tick - since), LATEST_AGE_SECONDS)


def fingerprint(engine: CachedEngine) -> int:
    """64 bits that differ where what two engines hold differs, or whose it is."""
    mixed = engine.crc * 0xC2B2AE3D27D4EB4F ^ engine.digest * 0x165667B19E3779F9 ^ engine.blocks * 0x9E3779B97F4A7C15
    return (mixed ^ mixed >> 29) & _MASK
