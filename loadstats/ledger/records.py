# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The records, and the moves that a record can make: new, known, first token, done, forgotten.

Owned by the ledger; every method wants its lock held. Always true: an engine's numbers are the sums of what its live
records add (`signals.py`), and a bucket's digest is the XOR of its live records' fingerprints.

Records live in 1,024 dicts by a hash of the request id. One dict of 1,000,000 would stall every caller for 38 ms when
it grows; a thousandth of it does for a thousandth.
"""

from __future__ import annotations

from zlib import crc32

from loadstats.ledger.cause import UNKNOWN
from loadstats.ledger.clients import Clients
from loadstats.ledger.cluster import Engine
from loadstats.ledger.counts import LedgerCounts
from loadstats.ledger.due_records import DueRecords
from loadstats.ledger.limits import BUCKETS, LedgerFull, LedgerLimits
from loadstats.ledger.owners import Owners
from loadstats.ledger.phase import DECODE, DONE, PREFILL, Phase
from loadstats.ledger.record import Origin, Record, RecordExtras, attempt_of, confirm, fingerprint
from loadstats.ledger.signals import count, hold_tokens, leave_prefill
from loadstats.ledger.sizes import ORDINARY, request_size


class Records:
    """All records.

    `buckets`: the records by request id, each in the bucket of its id's CRC-32.
    `digests`: 64 bits for each bucket.
    `size`: how many records there are; one with a long id counts as several (`sizes.py`).
    """

    def __init__(
        self, limits: LedgerLimits, counts: LedgerCounts, owners: Owners, due: DueRecords, clients: Clients
    ) -> None:
        self.buckets: list[dict[str, Record]] = [{} for _ in range(BUCKETS)]
        self.digests = [0] * BUCKETS
        self.size = 0
        self._limits = limits
        self._request_ticks = limits.request_ticks
        self._counts = counts
        self._owners = owners
        self._due = due
        self._clients = clients
        self._by_name = clients.by_name

    def check_room(self, client: str) -> None:
        """Raise LedgerFull where there is no room for another record of a client."""
        cap = self._limits.max_records
        if self.size >= cap:
            raise LedgerFull("requests", cap)
        held = self._clients.held(client)
        if held is not None and (share := self._clients.excess(cap, self.size, held.requests)):
            raise LedgerFull("requests", cap, share)

    def find(self, request_id: str) -> Record | None:
        """Return a request's record. Needs no lock."""
        return self.buckets[crc32(request_id.encode()) % BUCKETS].get(request_id)

    def insert(
        self,
        crc: int,
        request_id: str,
        engine: Engine,
        prompt_length: int,
        tick: int,
        origin: Origin | None,
        seq: int,
        attempt: int,
        client: str = "",
    ) -> Record:
        """Add a new request, in prefill, for the client that reported it. Returns its record."""
        due = tick + self._request_ticks
        size = 1 if len(request_id) <= ORDINARY and request_id.isascii() else request_size(request_id)
        self.size += size
        by = None
        if client:
            by = self._by_name.get(client) or self._clients.of(client)
            by.requests += size
        record = Record(None, None, request_id, engine, prompt_length, PREFILL, tick, due, origin, seq, None, 0, by)
        if attempt != 1:
            record.extras = RecordExtras(record=record, attempt=attempt)
        place = crc % BUCKETS
        self.buckets[place][request_id] = record
        self._due.place(record, due)
        count(engine, record, 1)
        self._counts.in_flight += 1
        if origin is not None:
            self.digests[place] ^= fingerprint(record, crc)
        return record

    def complete(
        self, crc: int, record: Record, engine: Engine, prompt_length: int, tick: int, origin: Origin | None, seq: int
    ) -> None:
        """Take the late add of a stub: its engine is known now, its phase stays."""
        record.engine = engine
        record.prompt_length = prompt_length
        record.origin = origin
        record.seq = seq
        self._counts.stubs -= 1
        if record.phase is DONE:
            self._counts.tombstones += 1
            engine.ended(record.cause, record.since_tick, record.since_tick, answered=False)
            return
        count(engine, record, 1)
        self._counts.in_flight += 1
        record.since_tick = tick
        self._due.move(record, tick + self._request_ticks)
        self.digests[crc % BUCKETS] ^= fingerprint(record, crc)

    def remember(
        self,
        crc: int,
        request_id: str,
        phase: Phase,
        tick: int,
        attempt: int,
        cause: int = UNKNOWN,
        client: str = "",
    ) -> Record | None:
        """Leave a stub for a client's call that overtook its add. Returns None if there is no room for one.

        `cause` is why the request ended, if it did.
        """
        try:
            self.check_room(client)
        except LedgerFull:
            self._counts.forgotten += 1
            return None
        due = tick + self._limits.stub_ticks
        size = request_size(request_id)
        self.size += size
        by = None
        if client:
            by = self._clients.of(client)
            by.requests += size
        record = Record(None, None, request_id, None, 0, phase, tick, due, cause=cause, client=by)
        if attempt != 1:
            record.extras = RecordExtras(record=record, attempt=attempt)
        self.buckets[crc % BUCKETS][request_id] = record
        self._counts.stubs += 1
        self._due.place(record, due)
        return record

    def decode(self, crc: int, record: Record) -> None:
        """Move a record from prefill to decode."""
        engine = record.engine
        if engine is None:
            record.phase = DECODE
            return
        confirm(record)
        leave_prefill(engine, record)
        if record.origin is not None:
            before = fingerprint(record, crc)
            record.phase = DECODE
            self.digests[crc % BUCKETS] ^= before ^ fingerprint(record, crc)
        else:
            record.phase = DECODE

    def end(self, crc: int, record: Record, tick: int, cause: int) -> None:
        """Move a record to done: it no longer counts and becomes a tombstone that knows the cause."""
        engine = record.engine
        record.cause = cause
        if engine is None:
            record.phase = DONE
            record.extras = _attempt_alone(record)
            self._due.move(record, tick + self._limits.stub_ticks)
            return
        if record.origin is not None:
            self.digests[crc % BUCKETS] ^= fingerprint(record, crc)
        count(engine, record, -1)
        if record.extras is not None:
            self._owners.release(record.extras)
            record.extras = _attempt_alone(record)
        self._counts.in_flight -= 1
        self._counts.tombstones += 1
        record.phase = DONE
        self._due.move(record, tick + self._limits.tombstone_ticks)

    def withdraw(self, crc: int, record: Record, tick: int, wall_ns: int) -> None:
        """Turn a live record into a stub of its phase: another add of the same id stands."""
        engine, phase, extras = record.engine, record.phase, record.extras
        assert engine is not None
        kept = None
        if extras is not None:
            kept = RecordExtras(
                record=record,
                input_tokens=extras.input_tokens,
                output_tokens=extras.output_tokens,
                refreshed_ms=extras.refreshed_ms,
                attempt=extras.attempt,
            )
        self.end(crc, record, tick, UNKNOWN)
        engine.changed(wall_ns)
        self._counts.tombstones -= 1
        self._counts.stubs += 1
        record.phase, record.engine, record.origin, record.seq, record.extras = phase, None, None, 0, kept

    def restart(self, crc: int, record: Record, attempt: int, tick: int, wall_ns: int) -> None:
        """Turn a record of any phase into a stub of a later attempt. The one before no longer counts."""
        engine = record.engine
        if engine is not None:
            if record.phase is not DONE:
                self.end(crc, record, tick, UNKNOWN)
                engine.changed(wall_ns)
            self._counts.tombstones -= 1
            self._counts.stubs += 1
        record.engine, record.prompt_length, record.phase, record.cause = None, 0, PREFILL, UNKNOWN
        record.origin, record.seq, record.since_tick = None, 0, tick
        record.extras = RecordExtras(record=record, attempt=attempt)
        self._due.move(record, tick + self._limits.stub_ticks)
        self._counts.retried += 1

    def forget(self, record: Record) -> None:
        """Drop an unlinked tombstone or stub."""
        if record.engine is None:
            self._counts.stubs -= 1
        else:
            self._counts.tombstones -= 1
        record.extras = None
        del self.buckets[crc32(record.request_id.encode()) % BUCKETS][record.request_id]
        request_id = record.request_id
        size = 1 if len(request_id) <= ORDINARY and request_id.isascii() else request_size(request_id)
        self.size -= size
        if (client := record.client) is not None:
            client.requests -= size
            if not client.requests:
                self._clients.forget_idle(client)

    def hold(
        self,
        crc: int,
        request_id: str,
        attempt: int,
        input_tokens: int,
        output_tokens: int,
        tick: int,
        wall_ns: int,
        client: str = "",
    ) -> bool:
        """Let a request that is not over hold so many tokens, if that is more. Returns whether anything changed.

        `attempt` may be `LATEST`.
        """
        record = self.buckets[crc % BUCKETS].get(request_id)
        if record is None:
            if not (input_tokens or output_tokens):
                return False
            record = self.remember(crc, request_id, PREFILL, tick, attempt or 1, client=client)
            if record is None:
                return False
        elif attempt and attempt != attempt_of(record):
            if attempt < attempt_of(record) or not (input_tokens or output_tokens):
                return False
            self.restart(crc, record, attempt, tick, wall_ns)
        if record.phase is DONE:
            return False
        confirm(record)
        extras = record.extras
        known = (0, 0) if extras is None else (extras.input_tokens, extras.output_tokens)
        if input_tokens <= known[0] and output_tokens <= known[1]:
            return False
        before = fingerprint(record, crc)
        if extras is None:
            extras = record.extras = RecordExtras(record=record)
        extras.input_tokens = max(known[0], input_tokens)
        extras.output_tokens = max(known[1], output_tokens)
        self.digests[crc % BUCKETS] ^= before ^ fingerprint(record, crc)
        if (engine := record.engine) is not None:
            hold_tokens(engine, extras.input_tokens + extras.output_tokens - sum(known))
            engine.changed(wall_ns, tick)
        return True

    def number(self, crc: int, record: Record, origin: Origin, seq: int) -> None:
        """Give a live record without a dot one."""
        record.origin, record.seq = origin, seq
        self.digests[crc % BUCKETS] ^= fingerprint(record, crc)

    def renew(self, crc: int, record: Record, stamp_ms: int, due_tick: int, *, heard: bool = True) -> bool:
        """Take a refresh of a live record: it falls due no earlier than `due_tick`. Returns False if nothing changes.

        `heard` is as in `Owners.beat`.
        """
        confirm(record)
        extras = record.extras
        if extras is None or stamp_ms > extras.refreshed_ms:
            before = fingerprint(record, crc)
            if extras is None:
                extras = record.extras = RecordExtras(record=record)
            extras.refreshed_ms = stamp_ms
            self.digests[crc % BUCKETS] ^= before ^ fingerprint(record, crc)
        elif not (heard and due_tick > record.due_tick):
            return False
        if due_tick > record.due_tick and not extras.orphaned:
            self._due.move(record, due_tick)
        return True

    def clear(self) -> None:
        """Forget all records."""
        self._due.clear()
        for bucket in self.buckets:
            for record in bucket.values():
                record.extras = record.client = None
            bucket.clear()
        self.digests = [0] * BUCKETS
        self.size = 0


def _attempt_alone(record: Record) -> RecordExtras | None:
    """Return the extras that are left of a record that is over."""
    extras = record.extras
    return None if extras is None or extras.attempt == 1 else RecordExtras(record=record, attempt=extras.attempt)
