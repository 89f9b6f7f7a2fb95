# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The ledger as peers use it: apply what they took from clients, report what is here, mend what differs.

Any thread. It takes the same lock as clients' calls, for a slice at most. Nothing that comes from a peer is journalled:
each node reports only what it took itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TypeVar

from loadstats.ledger.clock import TickClock
from loadstats.ledger.copy import LATEST_AGE_SECONDS, RequestCopy
from loadstats.ledger.event import Event
from loadstats.ledger.expiry import Expiry
from loadstats.ledger.limits import SLICE, LedgerLimits
from loadstats.ledger.merging import Covers, Merging
from loadstats.ledger.owners import Owners
from loadstats.ledger.record import Origin
from loadstats.ledger.records import Records

Lock = AbstractContextManager[object]
T = TypeVar("T")


class LedgerReplica:
    """One ledger's share in replication. `now` is in monotonic seconds, `wall_ns` in wall-clock nanoseconds."""

    def __init__(
        self,
        lock: Lock,
        clock: TickClock,
        limits: LedgerLimits,
        records: Records,
        owners: Owners,
        expiry: Expiry,
        merging: Merging,
    ) -> None:
        self._lock = lock
        self._clock = clock
        self._limits = limits
        self._records = records
        self._owners = owners
        self._expiry = expiry
        self._merging = merging

    @property
    def complete(self) -> bool:
        """Whether all that peers reported is in. False for as long as a request may live after there was no room."""
        return self._clock.tick >= self._merging.incomplete_until

    @property
    def tombstone_seconds(self) -> int:
        """How long an ended request is remembered."""
        return self._limits.tombstone_ticks

    @property
    def request_seconds(self) -> int:
        """How long a request that was not ended lives."""
        return self._limits.request_ticks

    @property
    def holding(self) -> bool:
        """Whether tombstones stay as long as a request may, because a peer does not know all that ended here."""
        return self._expiry.holding

    @holding.setter
    def holding(self, value: bool) -> None:
        self._expiry.holding = value

    def origin(self, name: str) -> Origin:
        """Return the origin of this name. Records of the same origin share it."""
        return self._merging.origin(name)

    def has_records(self, origin: str) -> bool:
        """Return whether a record has a dot of an origin."""
        with self._lock:
            return self._merging.has_records(origin)

    def apply(
        self,
        events: Sequence[Event],
        origin: Origin | None,
        first: int,
        now: float,
        wall_ns: int,
        age_seconds: float = 0.0,
        later_seconds: Sequence[int] = (),
    ) -> None:
        """Apply events that a peer's clients reported: numbers `first` and on, or without a dot.

        The first was taken `age_seconds` ago, each other `later_seconds` later than that; empty: all at about the same
        time.
        """
        seq, age = first, int(age_seconds)
        oldest = age
        apply = self._merging.event
        for start in range(0, len(events), SLICE):
            with self._lock:
                tick = self._clock.at(now)
                for event in events[start : start + SLICE]:
                    if later_seconds:
                        age = max(0, oldest - later_seconds[seq - first])
                    apply(event, origin, seq, tick, wall_ns, age)
                    seq += 1

    def digests(self) -> list[int]:
        """Return 64 bits for each bucket. Two ledgers with the same live records have the same."""
        return list(self._records.digests)

    def copies(self, bucket: int, now: float) -> list[RequestCopy]:
        """Return everything in a bucket, tombstones and stubs too."""
        with self._lock:
            tick = self._clock.at(now)
            return [RequestCopy.of(record, tick) for record in self._records.buckets[bucket].values()]

    def merge(
        self,
        bucket: int,
        copies: Sequence[RequestCopy],
        *,
        theirs: Covers,
        ours: Covers,
        now: float,
        wall_ns: int,
        attempts: bool = True,
    ) -> int:
        """Merge a peer's whole bucket. Returns how many records changed here. See `Merging.bucket`."""
        with self._lock:
            tick = self._clock.at(now)
            return self._merging.bucket(
                bucket, copies, theirs=theirs, ours=ours, tick=tick, wall_ns=wall_ns, attempts=attempts
            )

    def owners(self, now: float) -> dict[str, tuple[int, int]]:
        """Return gateways by name: the stamp of the last heartbeat in wall-clock ms, and for how many seconds that
        holds; below 0 where it has lapsed."""
        found = {}
        with self._lock:
            owners = list(self._owners)
        for part in _slices(owners):
            with self._lock:
                tick = self._clock.at(now)
                for owner in part:
                    if self._owners.is_told(owner, tick):
                        found[owner.name] = owner.beat_ms, max(owner.due_tick - tick, -LATEST_AGE_SECONDS)
        return found

    def merge_owners(self, owners: Mapping[str, tuple[int, int]], now: float) -> None:
        """Merge what a peer knows of gateways, in the form of `owners`."""
        for part in _slices(list(owners.items())):
            with self._lock:
                tick = self._clock.at(now)
                for name, (stamp_ms, remaining_seconds) in part:
                    self._merging.beat(name, stamp_ms, tick + remaining_seconds, tick, heard=False)

    def incarnations(self, now: float) -> dict[str, tuple[int, dict[str, int]]]:
        """Return gateways by name: for how many seconds their incarnations are remembered, and when each of these was
        first seen, in wall-clock ms."""
        found = {}
        with self._lock:
            owners = list(self._owners)
        for part in _slices(owners):
            with self._lock:
                tick = self._clock.at(now)
                for owner in part:
                    if owner.present is not None:
                        found[owner.name] = self._owners.told(owner, tick)
        return found

    def merge_incarnations(self, owners: Mapping[str, tuple[int, Mapping[str, int]]], now: float) -> None:
        """Merge what a peer knows of gateways' incarnations, in the form of `incarnations`."""
        for part in _slices(list(owners.items())):
            with self._lock:
                tick = self._clock.at(now)
                for name, (remaining_seconds, seen) in part:
                    self._merging.incarnations(name, seen, remaining_seconds, tick)


def _slices(them: list[T]) -> Iterator[list[T]]:
    for start in range(0, len(them), SLICE):
        yield them[start : start + SLICE]
