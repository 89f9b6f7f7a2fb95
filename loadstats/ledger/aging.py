# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What time does to the ledger: requests and engines grow too old, gateways fall silent, dropped engines are cleared.

In slices, each under the lock for less than a millisecond: call again until 0. Costs what is due, never a walk over
what lives; only clearing a dropped engine looks at every record once.
"""

from __future__ import annotations

from zlib import crc32

from loadstats.ledger.book import Book
from loadstats.ledger.cluster import Engine
from loadstats.ledger.event import Done, Dropped
from loadstats.ledger.record import DONE, HELD, ORPHANED, Owner, Record
from loadstats.ledger.state import BUCKETS, SLICE


class Aging(Book):
    """A book that is swept. `now` is a monotonic time in seconds, `wall_ns` the wall-clock time in nanoseconds."""

    def expire(self, now: float, wall_ns: int) -> int:
        """End what is too old, one slice of it. Returns how many it handled."""
        with self._lock:
            tick = self._at(now)
            handled = 0
            while handled < SLICE and (record := self._due.pop_due(tick)) is not None:
                if record.engine is None or record.phase is DONE:
                    self._outlived(record, tick)
                elif ticks := self._reprieve(record, tick):
                    self._place(record, tick + ticks)
                else:
                    self._counts.expired += 1
                    if record.more is not None and record.more.orphaned:
                        self._counts.released += 1
                    engine = record.engine
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

    def _outlived(self, record: Record, tick: int) -> None:
        """A tombstone or a stub is due."""
        until = record.since_tick + self._request_ticks
        if self.holding and until > tick and self._records * 2 < self._max_records:
            self._place(record, min(until, tick + self._tombstone_ticks))
        else:
            self._forget(record)

    def _reprieve(self, record: Record, tick: int) -> int:
        """For how many ticks a live record that is due lives on: as its owner does, or may, where we don't hear it."""
        more = record.more
        if more is None or (owner := more.owner) is None:
            return 0
        if owner.alive:
            return self._request_ticks
        if not more.orphaned:  # of an owner known only by name; else it is about to be counted as orphaned
            return self._orphan_ticks if owner.beat_ms else 0
        until = owner.due_tick + (self._request_ticks if self.holding else self._orphan_ticks)
        return max(0, min(until - tick, self._orphan_ticks))

    def lapse(self, now: float, wall_ns: int) -> int:
        """Count the requests of gateways that fell silent as orphaned, and back where they are heard again; end those
        of dropped engines. One slice; returns how many it handled."""
        with self._lock:
            tick = self._at(now)
            handled = 0
            while handled < SLICE and (owner := self._lapses.pop_due(tick)) is not None:
                handled += 1
                if owner.alive:
                    owner.alive = False
                    self._turning[owner.name] = owner
                    self._lapses.place(owner, max(owner.due_tick + self._request_ticks, tick + 1))
                else:
                    self._leave(owner)
            while handled < SLICE and self._turning:
                owner = next(iter(self._turning.values()))
                if not self._turn(owner, tick, wall_ns):
                    del self._turning[owner.name]
                handled += 1
            if handled < SLICE and self._dropped:
                handled += self._clear_bucket((SLICE - handled) // 2, tick, now)  # 4 µs each
            return handled

    def _turn(self, owner: Owner, tick: int, wall_ns: int) -> bool:
        """Count one of an owner's requests as the owner is now. False where none is left to be."""
        source, target = (ORPHANED, HELD) if owner.alive else (HELD, ORPHANED)
        more = owner.requests.pop_due_at(source)
        if more is None:
            return False
        owner.requests.place(more, target)
        record = more.record
        assert record is not None
        assert record.engine is not None
        self._orphan(record, more, tick, orphaned=target == ORPHANED)
        self._changed(record.engine, wall_ns)
        return True

    def drop(self, cluster: str, ip: str) -> int | None:
        """Forget an engine and its requests. How many those are, None where there is no such engine.

        It is no longer listed at once; `lapse` ends the requests one by one, and so on every node.
        """
        with self._lock:
            home = self._clusters.get(cluster)
            engine = None if home is None else home.engines.get(ip)
            if engine is None:
                return None
            self._shut(engine)
            self._dropped.append((cluster, engine))
            self._buckets_left = BUCKETS
            return engine.queued_req_num

    def _shut(self, engine: Engine) -> None:
        self._quiet.remove(engine)
        self._close(engine)

    def _clear_bucket(self, most: int, tick: int, now: float) -> int:
        """End at most so many requests of dropped engines in the next bucket. How many those were, and one more."""
        gone = [
            record
            for record in self._buckets[self._bucket].values()
            if record.phase is not DONE and record.engine is not None and record.engine.cluster is None
        ]
        for record in gone[:most]:
            self._counts.done += 1
            self._end(crc32(record.request_id.encode()), record, tick)
            if self.journal is not None:
                self.journal.append(Done(record.request_id), now)
        if len(gone) <= most:
            self._bucket = (self._bucket + 1) % BUCKETS
            self._buckets_left -= 1
        if not self._buckets_left:
            for cluster, engine in self._dropped:
                if self.journal is not None:
                    self.journal.append(Dropped(cluster, engine.ip), now)
            self._dropped.clear()
        return min(len(gone), most) + 1

    def clear(self) -> None:
        """Forget everything at once. For tests and for Django's `cache.clear()`, not for a node under load."""
        with self._lock:
            self._due.clear()
            self._quiet.clear()
            self._lapses.clear()
            for owner in self._owners.values():
                owner.requests.clear()
            self._owners.clear()
            self._turning.clear()
            self._dropped.clear()
            for bucket in self._buckets:
                for record in bucket.values():
                    record.more = None
                bucket.clear()
            self._digests = [0] * BUCKETS
            self._clusters.clear()
            self._records = 0
            counts = self._counts
            counts.in_flight = counts.tombstones = counts.stubs = counts.engines = counts.owners = counts.orphans = 0
