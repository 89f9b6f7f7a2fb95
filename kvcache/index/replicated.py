# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The index as peers use it: tell what is here, compare it, take in what is there.

What peers are told of clients' saves and drops goes through `save` and `drop` like those of clients: both are
idempotent and free of order. An engine holds a block where the latest stamp of a save of it is later than the latest
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

from collections.abc import Iterable, Iterator
from typing import Annotated

from msgspec import Meta, Struct

from kvcache.index.cluster import CachedEngine
from kvcache.index.index import CacheIndex
from kvcache.index.run import MOST_BLOCKS

_MASK = 2**64 - 1

Name = Annotated[str, Meta(min_length=1, max_length=256)]
Stamp = Annotated[int, Meta(ge=0, le=2**62)]  # nanoseconds until 2116: what a peer says cannot make them overflow
Seconds = Annotated[int, Meta(ge=0, le=2**31)]


class CacheCopy(Struct, frozen=True, array_like=True, gc=False):
    """A run that an engine holds, as it travels. Ages travel, not clock readings."""

    cluster: Name
    ip: Name
    stamp: Stamp
    age_seconds: Seconds
    hashes: Annotated[tuple[Annotated[int, Meta(ge=0)], ...], Meta(max_length=MOST_BLOCKS)]


class CacheDropped(Struct, frozen=True, array_like=True, gc=False):
    """The last time an engine, or with None every engine of a cluster, lost its cache, as it travels."""

    cluster: Name
    ip: Name | None
    stamp: Stamp
    age_seconds: Seconds


class ReplicatedIndex(CacheIndex):
    """An index that can be compared with others and copied. Each engine is, with all it holds, in one of 256 buckets
    by the CRC-32 of its cluster and address."""

    def digests(self) -> list[int]:
        """64 bits for each bucket: two indexes whose engines hold the same blocks have the same. Read bucket by bucket,
        0.4 µs an engine; keeping it up costs 25 ns for each block that is new to the index, none for others."""
        digests: list[int] = []
        for bucket in self._buckets:
            with self._lock:
                digest = 0
                for engine in bucket.values():
                    if engine.floor < 0:  # it is live
                        digest ^= fingerprint(engine)
            digests.append(digest)
        return digests

    def copies(self, bucket: int, now: float) -> Iterator[CacheCopy]:
        """All that the engines of a bucket hold, for each engine in the order of its last use. Each engine is read at
        one moment, 0.1 µs a run; the whole is not of one moment.

        Of an engine that was dropped, what was saved later is told from here on, not when it has gone over to the
        engine that is there now: that one is listed after it, or will be.
        """
        read: set[int] = set()
        while fresh := [number for number in list(self._buckets[bucket]) if number not in read]:
            read.update(fresh)
            for number in fresh:
                with self._lock:
                    tick = self._at(now)
                    engine = self._buckets[bucket].get(number)
                    if engine is None or engine.home is None:
                        continue
                    cluster, ip = engine.home.name, engine.ip
                    lost = max(engine.floor, self._drops.last(cluster, ip))
                    runs = [(run.hashes, touch) for run, touch in engine.runs.items() if touch.stamp > lost]
                for hashes, touch in runs:
                    yield CacheCopy(cluster, ip, touch.stamp, max(0, tick - touch.tick), hashes)

    def drops(self, now: float) -> list[CacheDropped]:
        """The drops that are remembered, those heard of longest ago first."""
        with self._lock:
            tick = self._at(now)
            return [
                CacheDropped(cluster, ip, drop.stamp, max(0, tick - drop.tick)) for (cluster, ip), drop in self._drops
            ]

    def merge(self, copies: Iterable[CacheCopy], now: float) -> int:
        """Take in what another index holds. Returns how many blocks are new to their engines here."""
        return sum(self.save(copy.cluster, copy.ip, copy.hashes, now, copy.stamp, copy.age_seconds) for copy in copies)

    def merge_drops(self, drops: Iterable[CacheDropped], now: float) -> None:
        """Take in what another index knows to be lost. Comes before `merge`, which then leaves it out."""
        for each in drops:
            self.drop(each.cluster, each.ip, each.stamp, now, each.age_seconds)


def fingerprint(engine: CachedEngine) -> int:
    """64 bits that differ where what two engines hold differs, or whose it is."""
    mixed = engine.crc * 0xC2B2AE3D27D4EB4F ^ engine.digest * 0x165667B19E3779F9 ^ engine.blocks * 0x9E3779B97F4A7C15
    return (mixed ^ mixed >> 29) & _MASK
