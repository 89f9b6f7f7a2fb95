# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The records by when they fall due: live ones expire, tombstones and stubs are forgotten.

Owned by the ledger; every method wants its lock held.
"""

from __future__ import annotations

from loadstats.ledger.expiry_queue import ExpiryQueue
from loadstats.ledger.record import Record


class DueRecords(ExpiryQueue[Record]):
    """Each record is in it once, under its `due_tick`."""

    def move(self, record: Record, tick: int) -> None:
        """Let a record fall due at `tick` instead of any other time."""
        if record.next is not None:
            self.remove(record)
        record.due_tick = tick
        self.place(record, tick)
