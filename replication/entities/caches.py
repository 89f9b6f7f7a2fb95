# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Prompt caches among nodes: the index of caches as a replicated entity.

Pure: no network, no clock. Called on the event loop; the index may be used by other threads. Saves and losses carry
stamps, so they may be applied in any order and twice. What a node evicts for want of room it evicts alone: the index is
a hint. So it is in no digest, and is pulled whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import repeat
from typing import Annotated, Any, ClassVar

from msgspec import Meta, Struct

from kvcache.index import BUCKETS, CacheCopy, CacheDropped, CacheIndex
from kvcache.stamps import LATEST_STAMP
from replication.buckets import Layout, State
from replication.entity import Entity, EventBatch

MAX_HASHES = 16_384  # of one save, as for clients

ClusterName = Annotated[str, Meta(min_length=1, max_length=256)]
Address = Annotated[str, Meta(min_length=1, max_length=64)]
Stamp = Annotated[int, Meta(ge=0, le=LATEST_STAMP)]


class Saved(Struct, frozen=True, array_like=True, tag=7, gc=False):
    """A client said that an engine holds a prompt in its cache.

    `cluster`: the engine's cluster.
    `ip`: the engine's address.
    `stamp`: what orders saves and losses on all nodes.
    `hashes`: the prompt's blocks.
    """

    cluster: ClusterName
    ip: Address
    stamp: Stamp
    hashes: Annotated[tuple[Annotated[int, Meta(ge=0)], ...], Meta(max_length=MAX_HASHES)]


class CacheLost(Struct, frozen=True, array_like=True, tag=8, gc=False):
    """A client said that an engine has lost its cache.

    `cluster`: the engine's cluster.
    `ip`: the engine's address; None for every engine of the cluster.
    `stamp`: what orders saves and losses on all nodes.
    """

    cluster: ClusterName
    ip: Address | None
    stamp: Stamp


CacheEvent = Saved | CacheLost


class ReplicatedCaches(Entity):
    """The blocks in an index of caches. Without an index nothing is kept and nothing journalled.

    `journal_event` takes down an event at a time, with its size in bytes.
    `seen` takes each stamp that a peer made.
    `check_address` raises InvalidInput for what is no engine's address, as for clients.
    """

    name = "caches"
    path = "/v1/replica/cache"
    unit = "cache blocks"
    buckets = BUCKETS
    layout = Layout(CacheCopy, BUCKETS, before=CacheDropped)
    events: ClassVar[frozenset[type]] = frozenset({Saved, CacheLost})
    answer_size = 16_384  # blocks: 9 bytes each, and 5 ms to gather
    compared = False
    stepwise = True

    def __init__(
        self,
        index: CacheIndex | None,
        journal_event: Callable[[CacheEvent, float, int], None],
        seen: Callable[[int], None],
        check_address: Callable[[str], None],
    ) -> None:
        self._index = index
        self._journal_event = journal_event
        self._seen = seen
        self._check_address = check_address

    # What clients report: this is the cache handlers' CacheEventSink

    def saved(self, cluster: str, ip: str, hashes: tuple[int, ...], stamp: int, now: float) -> None:
        """Journal that an engine holds a prompt."""
        self._journal_event(Saved(cluster, ip, stamp, hashes), now, 64 + 9 * len(hashes))

    def dropped(self, cluster: str, ip: str | None, stamp: int, now: float) -> None:
        """Journal that an engine, or with None every engine of a cluster, has lost its cache."""
        self._journal_event(CacheLost(cluster, ip, stamp), now, 0)

    # What peers push and pull

    def check(self, events: Sequence[Any]) -> None:
        for event in events:
            if isinstance(event, Saved | CacheLost) and event.ip is not None:
                self._check_address(event.ip)

    def apply(self, batch: EventBatch, now: float, wall_ns: int) -> None:
        index = self._index
        if index is None:
            return
        for event, seconds in zip(batch.events, batch.later_seconds or repeat(0), strict=False):
            if isinstance(event, Saved | CacheLost):
                self._seen(event.stamp)
                age = max(0.0, batch.age_seconds - seconds)
                if isinstance(event, Saved):
                    index.save(event.cluster, event.ip, event.hashes, now, event.stamp, age)
                else:
                    index.drop(event.cluster, event.ip, event.stamp, now, age)

    def copies(self, bucket: int, now: float) -> Sequence[CacheCopy]:
        return [] if self._index is None else list(self._index.copies(bucket, now))

    def size(self, copies: Sequence[CacheCopy]) -> int:
        return sum(len(copy.hashes) for copy in copies)

    def before(self, now: float) -> Sequence[CacheDropped]:
        """Return the losses that are remembered: what was saved before them is not taken."""
        return [] if self._index is None else self._index.drops(now)

    def merge(
        self, state: State, theirs: Mapping[str, int], ours: Mapping[str, int], now: float, wall_ns: int
    ) -> Iterator[int]:
        """Merge one copy in each step. Yields how many of its blocks are new here."""
        index = self._index
        if index is None:
            return
        losses = [lost for lost in state.before if lost.stamp <= LATEST_STAMP]
        for lost in losses:
            self._seen(lost.stamp)
        index.merge_drops(losses, now)
        for _, copies in state.buckets:
            for copy in copies:
                if copy.stamp > LATEST_STAMP:
                    continue  # an event of this stamp is left out too
                self._check_address(copy.ip)
                self._seen(copy.stamp)
                yield index.merge([copy], now)

    @property
    def kept(self) -> bool:
        return self._index is not None
