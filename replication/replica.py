# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""A node among its peers: what it takes from them, what it tells them, what it pulls. Pure: no network, no clock.

Owned by the event loop; the ledger and the journal underneath may be used by other threads. The simulation in the
tests and the node run this same code.

`vector` holds, for each origin, the last event before which this node has seen all. It says nothing that is not so:
events are in the ledger before it moves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import inf
from typing import cast

from edge.errors import InvalidInput
from loadstats.ledger import Added, ReplicatedLedger
from loadstats.ledger import Event as LedgerEvent
from replication.cache import CacheReplica
from replication.journal import Journal
from replication.messages import VERSION, Ack, CacheLost, CacheState, CacheWant, Push, Saved, State, Summary, Want
from replication.sender import SIGN_OF_LIFE_SECONDS, Sender

# Records of one answer. 512 take about 1 ms to gather and as long to merge.
STATE_RECORDS = 512
# Three signs of life missed.
SILENCE_SECONDS = 3 * SIGN_OF_LIFE_SECONDS
# Origins are nodes' lives. One that is over matters as long as a record of it may live.
MAX_ORIGINS = 256


class Replica:
    """`check_address` raises InvalidInput for what is no engine's name, as for clients."""

    def __init__(
        self,
        ledger: ReplicatedLedger,
        journal: Journal,
        check_address: Callable[[str], None],
        cache: CacheReplica | None = None,
    ) -> None:
        self._ledger = ledger
        self.cache = cache or CacheReplica(None, lambda event, now, size: None, lambda stamp: None, check_address)
        self._journal = journal
        self._check_address = check_address
        self._vector: dict[str, int] = {}
        self.joined = False
        self.taken_events = 0
        self.gaps: set[str] = set()  # nodes whose journals no longer hold what we miss
        self._heard: dict[str, float] = {}  # when each node last pushed
        self._hold_until = 0.0

    @property
    def origin(self) -> str:
        """This node's own origin."""
        return self._journal.origin.name

    def vector(self) -> dict[str, int]:
        """The watermarks, our own included."""
        return {**self._vector, self.origin: self._journal.latest}

    def take(self, push: Push, now: float, wall_ns: int) -> Ack:
        """Take a peer's events in. Raises InvalidInput, and takes nothing, where one of them is wrong."""
        caches = self._check(push)
        if push.age_ms <= SILENCE_SECONDS * 1000:  # else it has more to tell
            self._heard[node_of(push.origin)] = now
        watermark = self._vector.get(push.origin, 0)
        if push.oldest > watermark + 1:
            self.gaps.add(node_of(push.origin))
        else:
            self.gaps.discard(node_of(push.origin))
        first = push.first
        if news := push.events[max(0, watermark + 1 - first) :]:
            self.taken_events += len(news)
            origin, seq = self._ledger.origin(push.origin), first + len(push.events) - len(news)
            later = push.later_seconds[-len(news) :]
            self._ledger.apply(cast("list[LedgerEvent]", news), origin, seq, now, wall_ns, push.age_ms / 1000, later)
            if caches:
                self.cache.take(news, now, push.age_ms / 1000, later)
        last = first + len(push.events) - 1
        if first <= watermark + 1 and last > watermark:
            self._advance(push.origin, last)
        elif push.origin not in self._vector:
            self._advance(push.origin, watermark)
        return Ack(VERSION, self.origin, self._vector[push.origin], self.joined)

    def _check(self, push: Push) -> bool:
        """Whether a push that can be taken has events of the cache."""
        if push.version != VERSION:
            raise InvalidInput(f"version: expected {VERSION}, got {push.version}")
        if push.origin == self.origin:
            raise InvalidInput("origin: this is ourselves")
        if len(push.later_seconds) not in (0, len(push.events)):
            raise InvalidInput("later_seconds: expected one for each event, or none")
        caches = False
        for event in push.events:
            if type(event) is Added:
                self._check_address(event.ip)
            elif isinstance(event, Saved | CacheLost):
                self.cache.check(event)
                caches = True
        return caches

    def summary(self, now: float) -> Summary:
        """What this node holds. The vector is read first: what it covers is in the digests.

        A node that lately had no room for what peers told it says that it has seen nothing: nobody must take what is
        missing here for ended.
        """
        vector = self.vector() if self._ledger.complete else {}
        return Summary(VERSION, self.origin, self.joined, vector, self._ledger.digests(), self._ledger.owners(now))

    def state(self, want: Want, now: float) -> State:
        """The first of the buckets wanted, as many as make one answer."""
        if want.version != VERSION:
            raise InvalidInput(f"version: expected {VERSION}, got {want.version}")
        buckets = []
        records = 0
        for bucket in want.buckets:
            copies = self._ledger.copies(bucket, now)
            buckets.append((bucket, copies))
            records += len(copies)
            if records >= STATE_RECORDS:
                break
        return State(VERSION, buckets)

    def merge(self, state: State, vector: dict[str, int], now: float, wall_ns: int) -> int:
        """Take in buckets of a peer that had seen `vector` before it read them. Returns how many records changed."""
        for _, copies in state.buckets:
            for copy in copies:
                if copy.cluster:
                    self._check_address(copy.ip)

        mine = self.vector()

        def theirs(origin: str, seq: int) -> bool:
            return seq <= vector.get(origin, 0)

        def ours(origin: str, seq: int) -> bool:
            return seq <= mine.get(origin, 0)

        return sum(
            self._ledger.merge(bucket, copies, theirs=theirs, ours=ours, now=now, wall_ns=wall_ns)
            for bucket, copies in state.buckets
        )

    def cached(self, want: CacheWant, now: float) -> CacheState:
        """The first of the index's buckets wanted. Nobody must take what a node holds for all there is while it still
        joins or has missed events."""
        return self.cache.state(want, now, whole=self.joined and not self.gaps)

    def meet(self, summary: Summary, now: float) -> None:
        """Take in what a peer knows of gateways."""
        self._ledger.merge_owners(summary.owners, now)

    def adopt(self, summary: Summary, peer: str) -> None:
        """All that a peer had seen is in, after all of its buckets were merged; but for what it said of caches."""
        for origin, seen in summary.vector.items():
            if origin != self.origin and seen > self._vector.get(origin, -1):
                self._advance(origin, seen)
        self.gaps.discard(node_of(summary.origin))
        self.cache.owe(peer)

    def differing(self, summary: Summary) -> set[int]:
        """The buckets in which a peer's live records are not ours."""
        ours = self._ledger.digests()
        return {
            bucket for bucket, (mine, theirs) in enumerate(zip(ours, summary.digests, strict=True)) if mine != theirs
        }

    def hold(self, senders: Iterable[Sender], now: float) -> None:
        """Let tombstones stay while some peer and we may not know all of each other, and for as long again afterwards.

        A request may have been added on both sides of a cut and ended on one: that one's tombstone must still be there
        when the other's add arrives.
        """
        if self.gaps or any(sender.behind or self._silent(sender.origin, now) for sender in senders):
            self._hold_until = now + self._ledger.tombstone_seconds
        self._ledger.holding = now < self._hold_until

    def _silent(self, origin: str, now: float) -> bool:
        return now - self._heard.get(node_of(origin), -inf) > SILENCE_SECONDS

    def trim(self, acknowledged: Iterable[int]) -> None:
        """Let the journal go of what all peers have acknowledged."""
        self._journal.trim(min(acknowledged, default=self._journal.latest))

    def _advance(self, origin: str, watermark: int) -> None:
        self._vector.pop(origin, None)  # the latest moved stands last
        self._vector[origin] = watermark
        if len(self._vector) > MAX_ORIGINS:
            del self._vector[next(iter(self._vector))]
        if len(self._heard) > MAX_ORIGINS:
            self._heard.clear()


def node_of(origin: str) -> str:
    """The node whose life an origin is."""
    return origin.rpartition("@")[0]
