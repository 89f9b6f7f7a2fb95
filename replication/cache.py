# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The index of prompt caches among nodes: what clients tell of it travels with the journal's other events, and a node
that pulls everything pulls the index too. Pure: no network, no clock.

Owned by the event loop; the index underneath may be used by other threads. Saves and losses carry stamps, so they may
be taken in any order and twice. What a node evicts for want of room it evicts alone: the index is a hint.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import repeat

from kvcache.index import ReplicatedIndex
from replication.messages import VERSION, CacheLost, CacheState, CacheWant, Event, Saved
from replication.owed import Owed

# Blocks of one answer: 9 bytes each, and 5 ms to gather.
STATE_BLOCKS = 16_384


class CacheReplica:
    """`tell` journals an event of so many bytes, taken at a time. `seen` is told of each stamp that a peer made.

    Without an index nothing is kept and nothing told.
    """

    def __init__(
        self,
        index: ReplicatedIndex | None,
        tell: Callable[[Event, float, int], None],
        seen: Callable[[int], None],
        check_address: Callable[[str], None],
    ) -> None:
        self._index = index
        self._tell = tell
        self._seen = seen
        self._check_address = check_address
        self.owed = Owed()

    # What clients report

    def saved(self, cluster: str, ip: str, hashes: tuple[int, ...], stamp: int, now: float) -> None:
        """An engine holds a prompt."""
        self._tell(Saved(cluster, ip, stamp, hashes), now, 64 + 9 * len(hashes))

    def dropped(self, cluster: str, ip: str | None, stamp: int, now: float) -> None:
        """An engine, or every engine of a cluster, has lost its cache."""
        self._tell(CacheLost(cluster, ip, stamp), now, 0)

    # What peers tell

    def owe(self, peer: str) -> None:
        """A peer's watermarks were adopted, and with them events that never come."""
        if self._index is not None:
            self.owed.add(peer)

    def check(self, event: Saved | CacheLost) -> None:
        """Raises InvalidInput where an event names no engine."""
        if event.ip is not None:
            self._check_address(event.ip)

    def take(self, events: Sequence[Event], now: float, age_seconds: float, later: Sequence[int] = ()) -> None:
        """Take in what of a peer's events is about caches. `later`: as of a push."""
        index = self._index
        if index is None:
            return
        for event, seconds in zip(events, later or repeat(0), strict=False):
            if isinstance(event, Saved | CacheLost):
                self._seen(event.stamp)
                age = max(0.0, age_seconds - seconds)
                if isinstance(event, Saved):
                    index.save(event.cluster, event.ip, event.hashes, now, event.stamp, age)
                else:
                    index.drop(event.cluster, event.ip, event.stamp, now, age)

    def state(self, want: CacheWant, now: float, *, whole: bool) -> CacheState:
        """The first of the buckets wanted, as many as make one answer. `whole`: no event is missing here, unless one is
        owed."""
        index = self._index
        if index is None:
            return CacheState(VERSION, False, [], [(bucket, []) for bucket in want.buckets])
        buckets = []
        blocks = 0
        for bucket in want.buckets:
            copies = list(index.copies(bucket, now))
            buckets.append((bucket, copies))
            blocks += sum(len(copy.hashes) for copy in copies)
            if blocks >= STATE_BLOCKS:
                break
        return CacheState(VERSION, whole and not self.owed, index.drops(now), buckets)

    def merge(self, state: CacheState, now: float) -> Iterable[int]:
        """Take in buckets of a peer, some blocks at each step: others may have their turn between two."""
        index = self._index
        if index is None:
            return
        for lost in state.lost:
            self._seen(lost.stamp)
        index.merge_drops(state.lost, now)
        for _, copies in state.buckets:
            for copy in copies:
                self._check_address(copy.ip)
                self._seen(copy.stamp)
                yield index.merge([copy], now)
