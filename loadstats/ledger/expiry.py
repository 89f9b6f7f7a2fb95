# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What age does to records: live ones are ended, tombstones and stubs are forgotten.

Owned by the ledger; every method wants its lock held. Costs what is due, never a walk over what lives.
"""

from __future__ import annotations

from zlib import crc32

from loadstats.ledger.age_ends import AgeEnds
from loadstats.ledger.cause import AGE, SILENCE
from loadstats.ledger.counts import LedgerCounts
from loadstats.ledger.due_records import DueRecords
from loadstats.ledger.gateway import gateway_of
from loadstats.ledger.limits import LedgerLimits
from loadstats.ledger.phase import DONE
from loadstats.ledger.record import Record
from loadstats.ledger.records import Records


class Expiry:
    """Ends and forgets what is due.

    `doubting`: some records were restored, and their ends may be lost (`RecordExtras.doubted_until`).
    `holding`: a peer does not know all that ended here, so tombstones stay as long as a request may, while there is
    room.
    """

    def __init__(
        self, limits: LedgerLimits, counts: LedgerCounts, records: Records, due: DueRecords, age_ends: AgeEnds
    ) -> None:
        self.holding = False
        self.doubting = False
        self._limits = limits
        self._counts = counts
        self._records = records
        self._due = due
        self._age_ends = age_ends

    def expire(self, tick: int, wall_ns: int, most: int) -> int:
        """Handle at most `most` records that are due. Returns how many."""
        handled = 0
        while handled < most and (record := self._due.pop_due(tick)) is not None:
            if record.engine is None or record.phase is DONE:
                self._outlived(record, tick)
            elif ticks := self.reprieve(record, tick):
                self._due.move(record, tick + ticks)
            else:
                cause = SILENCE if record.extras is not None and record.extras.orphaned else AGE
                self._counts.count_end(cause)
                if cause is AGE:
                    self._age_ends.count(gateway_of(record))
                engine = record.engine
                self._records.end(crc32(record.request_id.encode()), record, tick, cause)
                engine.changed(wall_ns)
            handled += 1
        return handled

    def reprieve(self, record: Record, tick: int) -> int:
        """Return for how many ticks a live record that is due lives on, because its owner lives or may live; else 0."""
        extras = record.extras
        if extras is None or (owner := extras.owner) is None:
            return 0
        limits = self._limits
        if extras.superseded:  # that is no silence which we may only not hear: it is over
            return 0 if extras.orphaned else limits.orphan_ticks
        if owner.alive:
            if extras.doubted_until is not None and self.doubting:
                return max(0, min(extras.doubted_until - tick, limits.request_ticks))
            return limits.request_ticks
        if not extras.orphaned:  # of an owner known only by name; else it is about to be counted as orphaned
            return limits.orphan_ticks if owner.beat_ms else 0
        until = owner.due_tick + (limits.request_ticks if self.holding else limits.orphan_ticks)
        return max(0, min(until - tick, limits.orphan_ticks))

    def _outlived(self, record: Record, tick: int) -> None:
        """A tombstone or a stub is due."""
        limits = self._limits
        until = record.since_tick + limits.request_ticks
        if self.holding and until > tick and self._records.size * 2 < limits.max_records:
            self._due.move(record, min(until, tick + limits.tombstone_ticks))
        else:
            self._records.forget(record)
