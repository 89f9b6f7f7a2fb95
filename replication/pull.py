# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Pulling from one peer: its summary, then the buckets that are wanted, slice by slice. Pure: who asks carries the
messages. Owned by the event loop.

A whole pull takes every bucket, tombstones and stubs too, and ends with the peer's watermarks adopted: that is how a
node joins, and how it makes up for events that nobody can push any more. A repair takes the buckets that differ. The
index of caches is pulled by itself, after a whole pull.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from edge.errors import InvalidInput
from kvcache.index import BUCKETS as CACHE_BUCKETS
from loadstats.ledger import BUCKETS
from replication.cache import CacheReplica
from replication.messages import VERSION, CacheState, CacheWant, State, Summary, Want
from replication.replica import Replica


class Pull:
    """One pull. First `begin` with the peer's summary, then `want` and `take` in turn until `want` is None.

    `suspects`: of a repair, the buckets that differed the last time too. Under load some always differ for the moment
    that events are under way; those that differ twice running are looked at.
    """

    def __init__(self, replica: Replica, peer: str, *, whole: bool, suspects: frozenset[int] = frozenset()) -> None:
        self._replica = replica
        self._peer = peer
        self._whole = whole
        self._suspects = suspects
        self._summary: Summary | None = None
        self._wanted: list[int] = []
        self.differing: frozenset[int] = frozenset()
        self.changed = 0

    @property
    def left(self) -> int:
        """Buckets still to come."""
        return len(self._wanted)

    def begin(self, summary: Summary, now: float) -> None:
        """The peer's summary, taken before anything else of it."""
        self._summary = summary
        self._replica.meet(summary, now)
        self.differing = frozenset(self._replica.differing(summary))
        self._wanted = list(range(BUCKETS)) if self._whole else sorted(self.differing & self._suspects)

    def want(self) -> Want | None:
        """What to ask for next; None when all is in."""
        return Want(VERSION, self._wanted) if self._wanted else None

    def take(self, state: State, now: float, wall_ns: int) -> None:
        """The answer to the last want. Raises InvalidInput where it is none: a pull gets ahead or ends."""
        assert self._summary is not None
        wanted = still_wanted(self._wanted, state.buckets)
        vector = self._summary.vector
        self.changed += self._replica.merge(state, vector, now, wall_ns)
        self._wanted = wanted
        if self._whole and not self._wanted:
            self._replica.adopt(self._summary, self._peer)


class CachePull:
    """One pull of a peer's index of caches: `want` and `take` in turn until `want` is None, then `done`. In any case
    `close`: what is not done by then is owed as before."""

    def __init__(self, cache: CacheReplica, peer: str) -> None:
        self._cache = cache
        self._peer = peer
        self._wanted: Sequence[int] = range(CACHE_BUCKETS)
        self._whole = True
        self._done = False
        cache.owed.begin(peer)

    @property
    def left(self) -> int:
        """Buckets still to come."""
        return len(self._wanted)

    def want(self) -> CacheWant | None:
        """What to ask for next; None when all is in."""
        return CacheWant(VERSION, list(self._wanted)) if self._wanted else None

    def take(self, state: CacheState, now: float) -> Iterator[int]:
        """The answer to the last want, some blocks at each step: others may have their turn between two. Tells how many
        were new. Raises InvalidInput where it is no answer to that."""
        wanted = still_wanted(self._wanted, state.buckets)
        self._whole = self._whole and state.whole
        yield from self._cache.merge(state, now)
        self._wanted = wanted

    def done(self, others: Iterable[str], *, whole: bool = True) -> None:
        """All is in, or not `whole`: the peer has nothing to give. The others may have what it lacks."""
        self._done = True
        self._cache.owed.pulled(self._peer, others, whole=whole and self._whole)

    def close(self) -> None:
        """It ends, one way or the other."""
        if not self._done:
            self._cache.owed.failed(self._peer)


def still_wanted(wanted: Sequence[int], buckets: Sequence[tuple[int, object]]) -> list[int]:
    """What is left of the buckets wanted when these came. Raises InvalidInput where that is no progress."""
    came = {bucket for bucket, _ in buckets}
    if not came or not came.issubset(wanted):
        raise InvalidInput("state: expected some of the buckets wanted, and no others")
    return [bucket for bucket in wanted if bucket not in came]
