# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Prompt caches among nodes: the index of caches as a replicated entity.

Pure: no network, no clock. Called on the event loop; the index may be used by other threads. Saves and losses carry
stamps, so they may be applied in any order and twice. What a node evicts for want of room it evicts alone: the index is
a hint. So it is in no digest, and is pulled whole.

Engines are called by their full names. A peer without the feature "engine-caches" knows caches by address alone: it is
sent only those that were saved by address.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from itertools import repeat
from typing import Annotated, Any, ClassVar, TypeVar

from msgspec import Meta, Struct
from msgspec.structs import replace

from edge.engine_name import address_in
from kvcache.index import BUCKETS, CacheCopy, CacheDropped, CacheIndex
from kvcache.stamps import LATEST_STAMP
from replication.buckets import Layout, State
from replication.entity import Entity, EventBatch
from replication.features import ENGINE_CACHES, NOTHING

MAX_HASHES = 16_384  # of one save, as for clients

ClusterName = Annotated[str, Meta(min_length=1, max_length=256)]
EngineText = Annotated[str, Meta(min_length=1, max_length=64)]  # an `EngineName`
Stamp = Annotated[int, Meta(ge=0, le=LATEST_STAMP)]


class Saved(Struct, frozen=True, array_like=True, tag=7, gc=False):
    """A client said that an engine holds a prompt in its cache.

    `cluster`: the engine's cluster.
    `engine`: the engine's name.
    `stamp`: what orders saves and losses on all nodes.
    `hashes`: the prompt's blocks.
    """

    cluster: ClusterName
    engine: EngineText
    stamp: Stamp
    hashes: Annotated[tuple[Annotated[int, Meta(ge=0)], ...], Meta(max_length=MAX_HASHES)]


class CacheLost(Struct, frozen=True, array_like=True, tag=8, gc=False):
    """A client said that an engine has lost its cache.

    `cluster`: the engine's cluster.
    `engine`: the engine's name; None for every engine of the cluster.
    `stamp`: what orders saves and losses on all nodes.
    """

    cluster: ClusterName
    engine: EngineText | None
    stamp: Stamp


CacheEvent = Saved | CacheLost
NamedT = TypeVar("NamedT", bound=Saved | CacheLost | CacheCopy | CacheDropped)


class ReplicatedCaches(Entity):
    """The blocks in an index of caches. Without an index nothing is kept and nothing journalled.

    `journal_event` takes down an event at a time, with its size in bytes.
    `seen` takes each stamp that a peer made.
    `engine_name` returns an engine's name in its one form, whatever a peer calls it. It raises InvalidInput for what is
    no engine's name, as for clients.
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
        engine_name: Callable[[str], str],
    ) -> None:
        self._index = index
        self._journal_event = journal_event
        self._seen = seen
        self._engine_name = engine_name

    # What clients report: this is the cache handlers' CacheEventSink

    def saved(self, cluster: str, engine: str, hashes: tuple[int, ...], stamp: int, now: float) -> None:
        """Journal that an engine holds a prompt."""
        self._journal_event(Saved(cluster, engine, stamp, hashes), now, 64 + 9 * len(hashes))

    def dropped(self, cluster: str, engine: str | None, stamp: int, now: float) -> None:
        """Journal that an engine, or with None every engine of a cluster, has lost its cache."""
        self._journal_event(CacheLost(cluster, engine, stamp), now, 0)

    # What peers push and pull

    def checked(self, events: list[Any]) -> list[Any]:
        return [
            self._named(event) if isinstance(event, Saved | CacheLost) and event.engine is not None else event
            for event in events
        ]

    def apply(self, batch: EventBatch, now: float, wall_ns: int) -> None:
        index = self._index
        if index is None:
            return
        for event, seconds in zip(batch.events, batch.later_seconds or repeat(0), strict=False):
            if isinstance(event, Saved | CacheLost):
                self._seen(event.stamp)
                age = max(0.0, batch.age_seconds - seconds)
                if isinstance(event, Saved):
                    index.save(event.cluster, event.engine, event.hashes, now, event.stamp, age)
                else:
                    index.drop(event.cluster, event.engine, event.stamp, now, age)

    def for_peer(self, event: CacheEvent, features: Set[str]) -> Any:
        return event if ENGINE_CACHES in features or _by_address(event.engine) else NOTHING

    def copies(self, bucket: int, now: float) -> Sequence[CacheCopy]:
        return [] if self._index is None else list(self._index.copies(bucket, now))

    def size(self, copies: Sequence[CacheCopy]) -> int:
        return sum(len(copy.hashes) for copy in copies)

    def copies_for_peer(self, copies: Sequence[Any], features: Set[str]) -> Sequence[Any]:
        return copies if ENGINE_CACHES in features else [copy for copy in copies if _by_address(copy.engine)]

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
        drops = [
            lost if lost.engine is None else self._named(lost) for lost in state.before if lost.stamp <= LATEST_STAMP
        ]
        for lost in drops:
            self._seen(lost.stamp)
        index.merge_drops(drops, now)
        for _, copies in state.buckets:
            for copy in copies:
                if copy.stamp > LATEST_STAMP:
                    continue  # an event of this stamp is left out too
                named = self._named(copy)
                self._seen(named.stamp)
                yield index.merge([named], now)

    def _named(self, item: NamedT) -> NamedT:
        """Return an event or a copy with its engine's name in its one form. Raises InvalidInput if it is no name."""
        assert item.engine is not None
        name = self._engine_name(item.engine)
        return item if name == item.engine else replace(item, engine=name)

    @property
    def kept(self) -> bool:
        return self._index is not None


def _by_address(engine: str | None) -> bool:
    """Whether caches of an engine are known by its address alone; also of every engine of a cluster."""
    return engine is None or address_in(engine) == engine
