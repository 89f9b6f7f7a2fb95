# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The ledger as clients and people use it: report, ask, let time pass.

Thread-safe: one lock guards all state, and no call holds it for more than about a millisecond. Every operation is
idempotent and free of order: add, first token and done may come in any order, twice, from anyone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from typing import Protocol
from zlib import crc32

from loadstats.ledger.book import BUCKETS, SLICE, Book, Counts, LedgerFull
from loadstats.ledger.cluster import Row
from loadstats.ledger.event import Added, Done, Event, FirstToken
from loadstats.ledger.record import DECODE, DONE, PREFILL, Origin, Record


class Journal(Protocol):
    """Takes down what clients reported, in the order in which it took effect. Called with the ledger's lock held.

    `append` returns the event's number; `origin` is whose events they are.
    """

    origin: Origin

    def append(self, event: Event, now: float) -> int: ...


class Ledger(Book):
    """All requests of all clusters. See `Book` for the arguments.

    `now` is a monotonic time in seconds, `wall_ns` the wall-clock time in nanoseconds, both from the caller.
    """

    journal: Journal | None = None
    # A peer has not heard of all that ended here: tombstones stay as long as a request may, while there is room.
    holding = False

    # What clients report

    def add(self, request_id: str, cluster: str, ip: str, prompt_length: int, now: float, wall_ns: int) -> bool:
        """A request was sent to an engine. False, and nothing changes, where the id is known already."""
        crc = crc32(request_id.encode())
        with self._lock:
            record = self._buckets[crc % BUCKETS].get(request_id)
            if record is not None and record.engine is not None:
                self._counts.repeated += 1
                return False
            if record is None and self._records >= self._max_records:
                raise LedgerFull("requests", self._max_records)
            tick = self._at(now)
            engine = self._engine(cluster, ip, tick)
            journal = self.journal
            origin, seq = None, 0
            if journal is not None:
                origin, seq = journal.origin, journal.append(Added(request_id, cluster, ip, prompt_length), now)
            if record is None:
                self._insert(crc, request_id, engine, prompt_length, tick, origin, seq)
            else:
                self._complete(crc, record, engine, prompt_length, tick, origin, seq)
            self._counts.added += 1
            self._used(engine, tick, wall_ns)
            return True

    def first_token(self, request_id: str, now: float, wall_ns: int) -> bool:
        """A request's prefill is over. False where that was known, or the request is done."""
        crc = crc32(request_id.encode())
        with self._lock:
            record = self._buckets[crc % BUCKETS].get(request_id)
            tick = self._at(now)
            if record is None:
                if not self._remember(crc, request_id, DECODE, tick):
                    return False
            elif record.phase is not PREFILL:
                self._counts.repeated += 1
                return False
            else:
                self._decode(crc, record)
                self._counts.first_tokens += 1
                if (engine := record.engine) is not None:
                    self._used(engine, tick, wall_ns)
            if self.journal is not None:
                self.journal.append(FirstToken(request_id), now)
            return True

    def done(self, request_id: str, now: float, wall_ns: int) -> bool:
        """A request is over. False where that was known."""
        crc = crc32(request_id.encode())
        with self._lock:
            record = self._buckets[crc % BUCKETS].get(request_id)
            tick = self._at(now)
            if record is None:
                if not self._remember(crc, request_id, DONE, tick):
                    return False
            elif record.phase is DONE:
                self._counts.repeated += 1
                return False
            else:
                self._counts.done += 1
                if (engine := record.engine) is not None:
                    self._used(engine, tick, wall_ns)
                self._end(crc, record, tick)
            if self.journal is not None:
                self.journal.append(Done(request_id), now)
            return True

    # What they ask

    def answer(self, cluster: str) -> bytes:
        """The cluster's rows as a JSON array; `null` for a cluster without engines."""
        with self._lock:
            found = self._clusters.get(cluster)
            return b"null" if found is None else found.answer()

    def clusters(self) -> list[str]:
        """Names of the clusters that have engines."""
        return list(self._clusters)

    def rows(self, cluster: str) -> list[Row]:
        """The cluster's rows, read in slices: each slice is of one moment, the whole is not."""
        rows: dict[str, Row] = {}
        for start in count(0, SLICE):
            with self._lock:
                found = self._clusters.get(cluster)
                part = found.rows(start, start + SLICE) if found is not None else []
            if not part:
                break
            rows.update((row.ip, row) for row in part)
        return list(rows.values())

    def find(self, request_id: str) -> Record | None:
        """The record of a request, to be read and not to be changed."""
        return self._buckets[crc32(request_id.encode()) % BUCKETS].get(request_id)

    def records(self) -> Iterator[Record]:
        """All records, a bucket at a time: each bucket is of one moment, the whole is not."""
        for bucket in self._buckets:
            with self._lock:
                part = list(bucket.values())
            yield from part

    def counts(self) -> Counts:
        """The numbers of this moment."""
        with self._lock:
            return replace(self._counts)

    # What time does

    def expire(self, now: float, wall_ns: int) -> int:
        """End what is too old, one slice of it. Returns how many it handled: call again until 0.

        Costs what is due, never a walk over what lives.
        """
        with self._lock:
            tick = self._at(now)
            handled = 0
            while handled < SLICE and (record := self._due.pop_due(tick)) is not None:
                engine = record.engine
                if engine is None or record.phase is DONE:
                    until = record.since_tick + self._request_ticks
                    if self.holding and until > tick and self._records * 2 < self._max_records:
                        self._place(record, min(until, tick + self._tombstone_ticks))
                    else:
                        self._forget(record)
                else:
                    self._counts.expired += 1
                    self._end(crc32(record.request_id.encode()), record, tick)
                    self._changed(engine, wall_ns)
                handled += 1
            while handled < SLICE and (quiet := self._quiet.pop_due(tick)) is not None:
                due = quiet.used_tick + self._request_ticks
                if quiet.queued_req_num or due > tick:
                    self._quiet.place(quiet, max(due, tick + 1))
                else:
                    self._close(quiet)
                handled += 1
            return handled

    def clear(self) -> None:
        """Forget everything at once. For tests and for Django's `cache.clear()`, not for a node under load."""
        with self._lock:
            self._due.clear()
            self._quiet.clear()
            for bucket in self._buckets:
                bucket.clear()
            self._digests = [0] * BUCKETS
            self._clusters.clear()
            self._records = 0
            self._counts.in_flight = self._counts.tombstones = self._counts.stubs = self._counts.engines = 0
