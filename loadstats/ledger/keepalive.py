# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What clients call so that long requests do not expire: refreshes of single requests, heartbeats of gateways.

Owned by the ledger; every method wants its lock held.
"""

from __future__ import annotations

from loadstats.ledger.counts import LedgerCounts
from loadstats.ledger.event import LATEST, Beat, FromIncarnation, RequestRefreshed, later_ms
from loadstats.ledger.event_sink import ClientEvents
from loadstats.ledger.expiry import Expiry
from loadstats.ledger.limits import BUCKETS, SLICE, LedgerLimits
from loadstats.ledger.owners import Owners
from loadstats.ledger.phase import DONE
from loadstats.ledger.record import attempt_of
from loadstats.ledger.records import Records


class KeepAlive:
    """Moves the expiry of requests. Times are as in `Ledger`, `tick` is that of `now`."""

    def __init__(
        self,
        limits: LedgerLimits,
        counts: LedgerCounts,
        owners: Owners,
        records: Records,
        expiry: Expiry,
        events: ClientEvents,
    ) -> None:
        self._limits = limits
        self._counts = counts
        self._owners = owners
        self._records = records
        self._expiry = expiry
        self._events = events

    def refresh(self, crc: int, request_id: str, attempt: int, now: float, tick: int, wall_ns: int) -> bool:
        """Let a request expire as late as one that begins now. See `Ledger.refresh`."""
        record = self._records.buckets[crc % BUCKETS].get(request_id)
        if record is None or record.engine is None or record.phase is DONE:
            return False
        known = attempt_of(record)
        if attempt not in (LATEST, known):
            return False
        if record.due_tick <= tick and not self._expiry.reprieve(record, tick):
            return False
        stamp_ms = later_ms(wall_ns, 0 if record.extras is None else record.extras.refreshed_ms)
        self._records.renew(crc, record, stamp_ms, tick + self._limits.request_ticks)
        if (journal := self._events.journal) is not None:
            journal.append(RequestRefreshed(request_id, stamp_ms, known), now)
        return True

    def beat(
        self, owner: str, ttl_seconds: int, incarnation: str, client: str, now: float, tick: int, wall_ns: int
    ) -> bool:
        """Take a gateway's heartbeat. See `Ledger.beat`."""
        since_ms = 0
        if incarnation:
            self._owners.check_incarnation(owner, incarnation)
        self._owners.make_room(owner, client, tick)
        found = self._owners.find(owner, self._limits.max_owners, client)
        assert found is not None  # there is room
        if incarnation:
            since_ms = self._owners.first_seen(owner, incarnation, wall_ns)
            if self._owners.hear(found, incarnation, since_ms, tick).superseded:
                self._counts.repeated += 1
                return False
        stamp_ms = later_ms(wall_ns, found.beat_ms)
        self._owners.beat(found, stamp_ms, tick + ttl_seconds + 1, tick)  # a tick may end in a moment
        if (journal := self._events.journal) is not None:
            beat = Beat(owner, ttl_seconds, stamp_ms)
            journal.append(FromIncarnation(incarnation, since_ms, beat) if incarnation else beat, now)
        if incarnation:
            self._owners.settle(tick, wall_ns, SLICE)
        return True
