# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The ledger's state and the moves a record can make: new, known, first token, done, gone.

Owned by the ledger; every method that begins with an underscore wants its lock held. Always true: an engine's
`queued_req_num` is the number of its records that are not done, its `prompt_length` the sum over those still in
prefill, and a bucket's digest the XOR of its live records' fingerprints.

Records live in 1,024 dicts by a hash of the request id. One dict of 1,000,000 would stall every caller for 38 ms when
it grows; a thousandth of it does for a thousandth.
"""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock
from zlib import crc32

from loadstats.ledger.cluster import Cluster, Engine
from loadstats.ledger.record import DECODE, DONE, PREFILL, Origin, Phase, Record, fingerprint
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
    repaired: int = 0  # records that differed from a peer's and were mended


class Book:
    """All records and engines.

    `request_seconds`: a request that nobody ended goes after this long, and so does an engine that nobody used.
    `tombstone_seconds`: how long an ended request is remembered. `stub_seconds`: how long a call for an unknown one is;
    the add that it overtook may be as old as a partition between nodes, but no older than a request can get.
    `max_records` bounds requests and tombstones together, `max_engines` the engines of all clusters; past them
    adding raises `LedgerFull`.
    """

    def __init__(
        self,
        *,
        request_seconds: float = 660.0,
        tombstone_seconds: float = 60.0,
        stub_seconds: float | None = None,
        max_records: int = 4_000_000,
        max_engines: int = 100_000,
    ) -> None:
        self._request_ticks = max(1, round(request_seconds))
        self._tombstone_ticks = max(1, round(tombstone_seconds))
        self._stub_ticks = self._tombstone_ticks if stub_seconds is None else max(1, round(stub_seconds))
        self._max_records = max_records
        self._max_engines = max_engines
        self._lock = Lock()
        self._buckets: list[dict[str, Record]] = [{} for _ in range(BUCKETS)]
        self._digests = [0] * BUCKETS
        self._clusters: dict[str, Cluster] = {}
        self._due: Wheel[Record] = Wheel()
        self._quiet: Wheel[Engine] = Wheel()
        self._records = 0
        self._tick = 0
        self._counts = Counts()

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

    def _place(self, record: Record, tick: int) -> None:
        """Let a record fall due at `tick`, and no more at any other."""
        if record.next is not None:
            self._due.remove(record)
        record.due_tick = tick
        self._due.place(record, tick)

    def _insert(
        self, crc: int, request_id: str, engine: Engine, prompt_length: int, tick: int, origin: Origin | None, seq: int
    ) -> Record:
        """A new request in prefill."""
        due = tick + self._request_ticks
        record = Record(None, None, request_id, engine, prompt_length, PREFILL, tick, due, origin, seq)
        place = crc % BUCKETS
        self._buckets[place][request_id] = record
        self._records += 1
        self._due.place(record, due)
        engine.queued_req_num += 1
        engine.prompt_length += prompt_length
        self._counts.in_flight += 1
        if origin is not None:
            self._digests[place] ^= fingerprint(record, crc)
        return record

    def _complete(
        self, crc: int, record: Record, engine: Engine, prompt_length: int, tick: int, origin: Origin | None, seq: int
    ) -> None:
        """The late add of a stub: the engine is known now, the phase stays as far as it has come."""
        record.engine = engine
        record.prompt_length = prompt_length
        record.origin = origin
        record.seq = seq
        self._counts.stubs -= 1
        if record.phase is DONE:
            self._counts.tombstones += 1
            return
        engine.queued_req_num += 1
        self._counts.in_flight += 1
        record.since_tick = tick
        self._place(record, tick + self._request_ticks)
        self._digests[crc % BUCKETS] ^= fingerprint(record, crc)

    def _remember(self, crc: int, request_id: str, phase: Phase, tick: int) -> bool:
        """A call for an id nobody added yet leaves a stub that the late add merges into. False where it is full."""
        if self._records >= self._max_records:
            self._counts.forgotten += 1
            return False
        due = tick + self._stub_ticks
        record = Record(None, None, request_id, None, 0, phase, tick, due)
        self._buckets[crc % BUCKETS][request_id] = record
        self._records += 1
        self._counts.stubs += 1
        self._due.place(record, due)
        return True

    def _decode(self, crc: int, record: Record) -> None:
        """Move a live record from prefill to decode."""
        engine = record.engine
        assert engine is not None  # a stub is past prefill
        if record.origin is not None:
            before = fingerprint(record, crc)
            record.phase = DECODE
            self._digests[crc % BUCKETS] ^= before ^ fingerprint(record, crc)
        else:
            record.phase = DECODE
        engine.prompt_length -= record.prompt_length

    def _end(self, crc: int, record: Record, tick: int) -> None:
        """Move a record to done: off its engine, on to its tombstone."""
        engine = record.engine
        if engine is None:
            record.phase = DONE
            self._place(record, tick + self._stub_ticks)
            return
        if record.origin is not None:
            self._digests[crc % BUCKETS] ^= fingerprint(record, crc)
        engine.queued_req_num -= 1
        if record.phase is PREFILL:
            engine.prompt_length -= record.prompt_length
        self._counts.in_flight -= 1
        self._counts.tombstones += 1
        record.phase = DONE
        self._place(record, tick + self._tombstone_ticks)

    def _forget(self, record: Record) -> None:
        """Drop an unlinked tombstone or stub."""
        if record.engine is None:
            self._counts.stubs -= 1
        else:
            self._counts.tombstones -= 1
        del self._buckets[crc32(record.request_id.encode()) % BUCKETS][record.request_id]
        self._records -= 1

    def _close(self, engine: Engine) -> None:
        """Drop an unlinked engine without requests, and its cluster with the last."""
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
