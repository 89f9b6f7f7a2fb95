# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Dropped engines: no longer listed at once, their requests ended one by one.

Owned by the ledger; every method wants its lock held. This is the one step that looks at every record, a bucket at a
time.
"""

from __future__ import annotations

from zlib import crc32

from loadstats.ledger.cause import ENGINE_DROP
from loadstats.ledger.cluster import Engine
from loadstats.ledger.counts import LedgerCounts
from loadstats.ledger.engines import Engines
from loadstats.ledger.event import Done, Dropped
from loadstats.ledger.event_sink import ClientEvents
from loadstats.ledger.limits import BUCKETS
from loadstats.ledger.phase import DONE
from loadstats.ledger.record import attempt_of
from loadstats.ledger.records import Records


class EngineDrops:
    """The engines whose requests are still to be ended."""

    def __init__(self, counts: LedgerCounts, engines: Engines, records: Records, events: ClientEvents) -> None:
        self._counts = counts
        self._engines = engines
        self._records = records
        self._events = events
        self._dropped: list[tuple[str, Engine]] = []  # with their clusters' names
        self._bucket = 0  # where the walk goes on
        self._buckets_left = 0

    def __bool__(self) -> bool:
        return bool(self._dropped)

    def drop(self, cluster: str, name: str) -> int | None:
        """Close an engine. Returns how many requests are still to be ended; None where it is not listed."""
        engine = self._engines.find(cluster, name)
        if engine is None:
            return None
        self._engines.shut(engine)
        self._dropped.append((cluster, engine))
        self._buckets_left = BUCKETS
        return engine.queued_req_num

    def clear_bucket(self, now: float, tick: int, most: int) -> int:
        """End at most `most` requests of dropped engines in the next bucket, and journal what ended.

        Returns the work that this took: the requests ended and one for the bucket.
        """
        gone = [
            record
            for record in self._records.buckets[self._bucket].values()
            if record.phase is not DONE and record.engine is not None and record.engine.cluster is None
        ]
        events: list[Done | Dropped] = []
        for record in gone[:most]:
            self._counts.count_end(ENGINE_DROP)
            self._records.end(crc32(record.request_id.encode()), record, tick, ENGINE_DROP)
            events.append(Done(record.request_id, ENGINE_DROP, attempt_of(record)))
        if len(gone) <= most:
            self._bucket = (self._bucket + 1) % BUCKETS
            self._buckets_left -= 1
        if not self._buckets_left:
            events += [Dropped(cluster, engine.name) for cluster, engine in self._dropped]
            self._dropped.clear()
        if (journal := self._events.journal) is not None:
            for event in events:
                journal.append(event, now)
        return min(len(gone), most) + 1

    def clear(self) -> None:
        """Nothing is left to end."""
        self._dropped.clear()
