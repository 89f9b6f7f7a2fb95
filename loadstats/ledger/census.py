# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What each gateway has in flight: one walk over all records, in slices.

Any thread. Reads under the ledger's lock, at most `SLICE` records at a time: each slice is of one moment, the whole is
not. Measured with 1,000,000 requests of 750 gateways: 1.2 s in all.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import AbstractContextManager
from itertools import islice

from msgspec import Struct

from loadstats.ledger.age_ends import AgeEnds
from loadstats.ledger.client import LedgerClient
from loadstats.ledger.clock import TickClock
from loadstats.ledger.gateway import GatewayKey, GatewayKind, gateway_of
from loadstats.ledger.limits import SLICE
from loadstats.ledger.owners import Owners
from loadstats.ledger.phase import DONE
from loadstats.ledger.record import Owner, Record
from loadstats.ledger.records import Records

SLICE_BUCKETS = 64
MOST_TALLIES = 100_000  # of all gateways in all clusters: 10 MB. What comes after is counted under no cluster


class Tally(Struct, gc=False):
    """Requests in flight.

    `requests`: how many.
    `orphans`: those of them that are orphaned.
    `oldest_tick`: when the oldest one was added.
    """

    requests: int = 0
    orphans: int = 0
    oldest_tick: int = 0

    def add(self, other: Tally) -> None:
        """Add another one's requests."""
        if other.requests:
            oldest = min(self.oldest_tick, other.oldest_tick) if self.requests else other.oldest_tick
            self.oldest_tick = oldest
            self.requests += other.requests
            self.orphans += other.orphans


class GatewayCensus(Struct, frozen=True, gc=False):
    """One gateway.

    `kind`, `name`: what it is known by.
    `clusters`: its requests by cluster; under an empty name those whose engine was dropped.
    `beat_ms`: when its last heartbeat was taken, in wall-clock ms; 0 if none ever was.
    `lapsed`: it has sent heartbeats, and sends none any more.
    `incarnation`: the one that stands; empty if it names none.
    `ended_by_age`: how many of its requests this node has ended by age.
    """

    kind: GatewayKind
    name: str
    clusters: Mapping[str, Tally]
    beat_ms: int = 0
    lapsed: bool = False
    incarnation: str = ""
    ended_by_age: int = 0


class Census(Struct, frozen=True):
    """All gateways: those that have requests in flight, have sent heartbeats, or had requests that ended by age.

    `tick`: when it was begun, on this node's clock.
    """

    tick: int
    gateways: tuple[GatewayCensus, ...]


class CensusTaker:
    """Takes censuses of one ledger. `now` is in monotonic seconds."""

    def __init__(
        self,
        lock: AbstractContextManager[object],
        clock: TickClock,
        records: Records,
        owners: Owners,
        age_ends: AgeEnds,
    ) -> None:
        self._lock = lock
        self._clock = clock
        self._records = records
        self._owners = owners
        self._age_ends = age_ends

    def take(self, now: float) -> Generator[None, None, Census]:
        """Return a census. Yields after each slice."""
        with self._lock:
            tick = self._clock.at(now)
        count, looked = _Tallies(), 0
        for at, bucket in enumerate(self._records.buckets, 1):
            if bucket:
                with self._lock:
                    all_ = list(bucket.values())  # pointers: 4 µs for the 1,000 of a ledger of a million
                for start in range(0, len(all_), SLICE):
                    some = all_[start : start + SLICE]
                    if looked + len(some) > SLICE:
                        looked = 0
                        yield
                    with self._lock:
                        count.add(some)
                    looked += len(some)
            if at % SLICE_BUCKETS == 0:
                yield
        with self._lock:
            owners, age_ends = list(self._owners), self._age_ends.copy()
        found = []
        left = iter(owners)
        while part := list(islice(left, SLICE)):
            with self._lock:
                found += [_of_owner(owner, count.tallies, age_ends) for owner in part]
            yield
        for (kind, name), clusters in count.tallies.items():
            ended = age_ends.pop((kind, name), 0)
            found.append(GatewayCensus(kind, name, clusters, ended_by_age=ended))
        found += [GatewayCensus(kind, name, {}, ended_by_age=n) for (kind, name), n in age_ends.items()]
        return Census(tick, tuple(found))


class _Tallies:
    """Counts records by gateway and cluster.

    `tallies`: by gateway, and by the name of the cluster.
    """

    def __init__(self) -> None:
        self.tallies: dict[GatewayKey, dict[str, Tally]] = {}
        # The same by what stands for a gateway in its records: a look-up by an object is faster than one by names.
        self._found: dict[Owner | LedgerClient | str, dict[str, Tally]] = {}
        self._room = MOST_TALLIES

    def add(self, records: list[Record]) -> None:
        """Count those that are in flight."""
        found, done = self._found, DONE
        for record in records:
            engine = record.engine
            if engine is None or record.phase is done:
                continue
            extras = record.extras
            if extras is not None and extras.owner is not None:
                clusters = found.get(extras.owner)
            elif record.client is not None:
                clusters = found.get(record.client)
            else:
                clusters = None if record.origin is None else found.get(record.origin.name)
            if clusters is None:
                clusters = self._gateway(record)
            cluster = engine.cluster
            name = "" if cluster is None else cluster.name
            tally = clusters.get(name)
            if tally is None:
                tally = self._tally(clusters, name)
            if not tally.requests or record.since_tick < tally.oldest_tick:
                tally.oldest_tick = record.since_tick
            tally.requests += 1
            if extras is not None and extras.orphaned:
                tally.orphans += 1

    def _gateway(self, record: Record) -> dict[str, Tally]:
        """Return the tallies of a record's gateway, to be found faster from now on."""
        clusters = self.tallies.setdefault(gateway_of(record), {})
        if record.extras is not None and record.extras.owner is not None:
            self._found[record.extras.owner] = clusters
        elif record.client is not None:
            self._found[record.client] = clusters
        elif record.origin is not None:
            self._found[record.origin.name] = clusters
        return clusters

    def _tally(self, clusters: dict[str, Tally], name: str) -> Tally:
        """Return a new tally, or that of no cluster if there is no room for another one."""
        self._room -= 1
        return clusters.setdefault(name if self._room >= 0 else "", Tally())


def _of_owner(
    owner: Owner, tallies: dict[GatewayKey, dict[str, Tally]], age_ends: dict[GatewayKey, int]
) -> GatewayCensus:
    key: GatewayKey = ("owner", owner.name)
    return GatewayCensus(
        "owner",
        owner.name,
        tallies.pop(key, {}),
        owner.beat_ms,
        owner.lapsed,
        "" if owner.present is None else owner.present.name,
        age_ends.pop(key, 0),
    )
