# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""How a client's add enters the ledger: the record, its engine, its owner and the event for peers.

Owned by the ledger; every method wants its lock held. A call that raises `LedgerFull` has added no record. What peers
added enters by `Merging`.
"""

from __future__ import annotations

from loadstats.ledger.clock import TickClock
from loadstats.ledger.counts import LedgerCounts
from loadstats.ledger.engines import Engines
from loadstats.ledger.event import Added, FromIncarnation
from loadstats.ledger.event_sink import ClientEvents
from loadstats.ledger.limits import LedgerLimits
from loadstats.ledger.owners import Owners
from loadstats.ledger.phase import DONE
from loadstats.ledger.record import Record, attempt_of
from loadstats.ledger.records import Records


class Adding:
    """Adds to records, engines and owners what clients report."""

    def __init__(
        self,
        limits: LedgerLimits,
        clock: TickClock,
        counts: LedgerCounts,
        engines: Engines,
        owners: Owners,
        records: Records,
        events: ClientEvents,
    ) -> None:
        self._clock = clock
        self._counts = counts
        self._engines = engines
        self._owners = owners
        self._records = records
        self._events = events
        self._max_owners = limits.max_owners
        self._half_of_records = limits.max_records // 2

    def add(
        self,
        crc: int,
        record: Record | None,
        request_id: str,
        cluster: str,
        name: str,
        prompt_length: int,
        now: float,
        wall_ns: int,
        owner: str,
        attempt: int,
        incarnation: str,
        client: str,
    ) -> Record:
        """Add a new request, one that is known as a stub (`record`), or another attempt of one. Returns its record.

        An attempt that is no later than the known one is that one. `crc` is the CRC-32 of the request id, `name` the
        engine's. The caller settles the owners if the add names an incarnation. Raises LedgerFull.
        """
        records = self._records
        if record is None and records.size > self._half_of_records:
            records.check_room(client)
        tick = self._clock.at(now)
        if owner:
            if incarnation:
                self._owners.check_incarnation(owner, incarnation)
            self._owners.make_room(owner, client, tick)
        engine = self._engines.use(cluster, name, tick, client)
        if record is None:
            attempt = attempt or 1
        elif attempt > (known := attempt_of(record)):
            records.restart(crc, record, attempt, tick, wall_ns)
        else:
            attempt = known
        journal = self._events.journal
        origin, seq = None, 0
        since_ms = self._owners.first_seen(owner, incarnation, wall_ns) if owner and incarnation else 0
        if journal is not None:
            added = Added(request_id, cluster, name, prompt_length, owner, attempt)
            event = FromIncarnation(incarnation, since_ms, added) if since_ms else added
            origin, seq = journal.origin, journal.append(event, now)
        if record is None:
            record = records.insert(crc, request_id, engine, prompt_length, tick, origin, seq, attempt, client)
        else:
            records.complete(crc, record, engine, prompt_length, tick, origin, seq)
        if owner and record.phase is not DONE:
            self._owners.own(record, owner, tick, self._max_owners, incarnation, since_ms, client)
        elif since_ms:
            self._owners.note(owner, incarnation, since_ms, tick, self._max_owners, client)
        self._counts.added += 1
        engine.changed(wall_ns, tick)
        return record
