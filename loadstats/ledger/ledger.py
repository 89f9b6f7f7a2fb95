# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The ledger: one record per request, from which every engine's load is derived.

Thread-safe: one lock guards all state, and no call holds it for more than about a millisecond. Every operation is
idempotent and free of order: add, first token and done may come in any order, twice, from anyone. Always true: an
engine's `queued_req_num` is the number of its records that are not done, its `prompt_length` the sum over those still
in prefill.

Records live in 1,024 dicts by a hash of the request id. One dict of 1,000,000 would stall every caller for 38 ms when
it grows; a thousandth of it does for a thousandth.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import count
from threading import Lock
from zlib import crc32

from loadstats.ledger.cluster import Cluster, Engine, Row
from loadstats.ledger.record import DECODE, DONE, PREFILL, Phase, Record
from loadstats.ledger.wheel import Wheel

BUCKETS = 1024
SLICE = 256  # records or rows handled under one hold of the lock: 0.3 ms at about 1 µs each


class LedgerFull(Exception):
    """A cap was reached; `what` names it."""

    def __init__(self, what: str, cap: int) -> None:
        super().__init__(f"{what} reached its cap of {cap}")
        self.what = what
        self.cap = cap


@dataclass(slots=True)
class Counts:
    """What the ledger holds (the first four) and what happened since it was made."""

    in_flight: int = 0  # added and not done
    tombstones: int = 0  # done, kept for late calls
    stubs: int = 0  # known only from calls that overtook their add
    engines: int = 0
    added: int = 0
    first_tokens: int = 0
    done: int = 0
    expired: int = 0  # ended by age instead of by a client
    repeated: int = 0  # calls that changed nothing
    forgotten: int = 0  # early calls not remembered because the ledger was full


class Ledger:
    """All requests of all clusters.

    `request_seconds`: a request that nobody ended goes after this long, and so does an engine that nobody used.
    `tombstone_seconds`: how long an ended request, or a call for an unknown one, is remembered.
    `max_records` bounds requests and tombstones together, `max_engines` the engines of all clusters; past them
    `add` raises `LedgerFull`.

    `now` is a monotonic time in seconds, `wall_ns` the wall-clock time in nanoseconds, both from the caller.
    """

    def __init__(
        self,
        *,
        request_seconds: float = 660.0,
        tombstone_seconds: float = 60.0,
        max_records: int = 4_000_000,
        max_engines: int = 100_000,
    ) -> None:
        self._request_ticks = max(1, round(request_seconds))
        self._tombstone_ticks = max(1, round(tombstone_seconds))
        self._max_records = max_records
        self._max_engines = max_engines
        self._lock = Lock()
        self._buckets: list[dict[str, Record]] = [{} for _ in range(BUCKETS)]
        self._clusters: dict[str, Cluster] = {}
        self._due: Wheel[Record] = Wheel()
        self._quiet: Wheel[Engine] = Wheel()
        self._records = 0
        self._tick = 0
        self._counts = Counts()

    # What clients report

    def add(self, request_id: str, cluster: str, ip: str, prompt_length: int, now: float, wall_ns: int) -> bool:
        """A request was sent to an engine. False, and nothing changes, where the id is known already."""
        bucket = self._buckets[crc32(request_id.encode()) % BUCKETS]
        with self._lock:
            record = bucket.get(request_id)
            if record is not None and record.engine is not None:
                self._counts.repeated += 1
                return False
            if record is None and self._records >= self._max_records:
                raise LedgerFull("requests", self._max_records)
            tick = self._at(now)
            engine = self._engine(cluster, ip, tick)
            if record is None:
                record = bucket[request_id] = Record(None, None, request_id, engine, prompt_length, PREFILL, tick)
                self._records += 1
                self._due.place(record, tick + self._request_ticks)
                engine.queued_req_num += 1
                engine.prompt_length += prompt_length
                self._counts.in_flight += 1
            else:
                self._complete(record, engine, prompt_length, tick)
            self._counts.added += 1
            self._used(engine, tick, wall_ns)
            return True

    def first_token(self, request_id: str, now: float, wall_ns: int) -> bool:
        """A request's prefill is over. False where that was known, or the request is done."""
        bucket = self._buckets[crc32(request_id.encode()) % BUCKETS]
        with self._lock:
            record = bucket.get(request_id)
            if record is None:
                return self._remember(bucket, request_id, DECODE, self._at(now))
            if record.phase is not PREFILL:
                self._counts.repeated += 1
                return False
            engine = record.engine
            assert engine is not None  # a stub is past prefill
            record.phase = DECODE
            engine.prompt_length -= record.prompt_length
            self._counts.first_tokens += 1
            self._used(engine, self._at(now), wall_ns)
            return True

    def done(self, request_id: str, now: float, wall_ns: int) -> bool:
        """A request is over. False where that was known."""
        bucket = self._buckets[crc32(request_id.encode()) % BUCKETS]
        with self._lock:
            record = bucket.get(request_id)
            tick = self._at(now)
            if record is None:
                return self._remember(bucket, request_id, DONE, tick)
            if record.phase is DONE:
                self._counts.repeated += 1
                return False
            self._counts.done += 1
            if (engine := record.engine) is not None:
                self._used(engine, tick, wall_ns)
            self._end(record, tick)
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

    @property
    def now_tick(self) -> int:
        """The latest second that a call or an expiry was made in; ages count back from here."""
        return self._tick

    # What time does

    def expire(self, now: float, wall_ns: int) -> int:
        """End what is too old, one slice of it. Returns how many it handled: call again until 0.

        Costs what is due, never a walk over what lives.
        """
        with self._lock:
            tick = self._at(now)
            handled = 0
            while handled < SLICE and (record := self._due.pop_due(tick)) is not None:
                self._fall_due(record, tick, wall_ns)
                handled += 1
            while handled < SLICE and (engine := self._quiet.pop_due(tick)) is not None:
                self._fall_quiet(engine, tick)
                handled += 1
            return handled

    def clear(self) -> None:
        """Forget everything at once. For tests and for Django's `cache.clear()`, not for a node under load."""
        with self._lock:
            self._due.clear()
            self._quiet.clear()
            for bucket in self._buckets:
                bucket.clear()
            self._clusters.clear()
            self._records = 0
            self._counts.in_flight = self._counts.tombstones = self._counts.stubs = self._counts.engines = 0

    # Under the lock

    def _at(self, now: float) -> int:
        """The tick of `now`. Records share the int, which saves 32 bytes each."""
        tick = int(now)
        if tick > self._tick:
            self._tick = tick
        return self._tick

    def _engine(self, cluster: str, ip: str, tick: int) -> Engine:
        home = self._clusters.get(cluster)
        engine = home.engines.get(ip) if home is not None else None
        if engine is None:
            if self._counts.engines >= self._max_engines:
                raise LedgerFull("engines", self._max_engines)
            if home is None:
                home = self._clusters[cluster] = Cluster(cluster)
            engine = home.open(ip)
            self._quiet.place(engine, tick + self._request_ticks)
            self._counts.engines += 1
        return engine

    def _complete(self, record: Record, engine: Engine, prompt_length: int, tick: int) -> None:
        """The late add of a stub: the engine is known now, the phase stays as far as it has come."""
        record.engine = engine
        record.prompt_length = prompt_length
        self._counts.stubs -= 1
        if record.phase is DONE:
            self._counts.tombstones += 1
        else:
            engine.queued_req_num += 1
            self._counts.in_flight += 1
            self._due.remove(record)
            self._due.place(record, tick + self._request_ticks)

    def _remember(self, bucket: dict[str, Record], request_id: str, phase: Phase, tick: int) -> bool:
        """A call for an id nobody added yet: leave a stub that the late add merges into."""
        if self._records >= self._max_records:
            self._counts.forgotten += 1
            return False
        record = bucket[request_id] = Record(None, None, request_id, None, 0, phase, tick)
        self._records += 1
        self._counts.stubs += 1
        self._due.place(record, tick + self._tombstone_ticks)
        return True

    def _end(self, record: Record, tick: int) -> None:
        """Move a record to done: off its engine, on to its tombstone."""
        engine = record.engine
        if engine is not None:
            engine.queued_req_num -= 1
            if record.phase is PREFILL:
                engine.prompt_length -= record.prompt_length
            self._counts.in_flight -= 1
            self._counts.tombstones += 1
        record.phase = DONE
        if record.next is not None:
            self._due.remove(record)
        self._due.place(record, tick + self._tombstone_ticks)

    def _fall_due(self, record: Record, tick: int, wall_ns: int) -> None:
        engine = record.engine
        if engine is not None and record.phase is not DONE:
            self._counts.expired += 1
            self._end(record, tick)
            self._changed(engine, wall_ns)
            return
        if engine is None:
            self._counts.stubs -= 1
        else:
            self._counts.tombstones -= 1
        del self._buckets[crc32(record.request_id.encode()) % BUCKETS][record.request_id]
        self._records -= 1

    def _fall_quiet(self, engine: Engine, tick: int) -> None:
        due = engine.used_tick + self._request_ticks
        if engine.queued_req_num or due > tick:
            self._quiet.place(engine, max(due, tick + 1))
            return
        home = engine.cluster
        assert home is not None
        home.close(engine)
        self._counts.engines -= 1
        if not home.engines:
            del self._clusters[home.name]

    def _used(self, engine: Engine, tick: int, wall_ns: int) -> None:
        engine.used_tick = tick
        self._changed(engine, wall_ns)

    @staticmethod
    def _changed(engine: Engine, wall_ns: int) -> None:
        engine.updated_ns = wall_ns
        home = engine.cluster
        if home is None:
            return  # a tombstone of an engine that is gone
        home.answer_bytes = b""
        if not engine.stale:
            engine.stale = True
            home.stale.append(engine)
