# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The moves a record can make: new, known, first token, done, gone.

Owned by the ledger; every method wants its lock held. Always true: an engine's `queued_req_num` is the number of its
records that are not done, `prefill_req_num` of those still in prefill and `prompt_length` their sum, `token_num` the
sum of its records' tokens, `orphaned_req_num` the number of those whose owner has lapsed; a bucket's digest is the XOR
of its live records' fingerprints.
"""

from __future__ import annotations

from zlib import crc32

from loadstats.ledger.cluster import Engine
from loadstats.ledger.extras import Extras
from loadstats.ledger.record import DECODE, DONE, PREFILL, Origin, Phase, Record, fingerprint
from loadstats.ledger.state import BUCKETS


class Book(Extras):
    """The records and how they move."""

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
        engine.prefill_req_num += 1
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
        if record.phase is PREFILL:
            engine.prefill_req_num += 1
            engine.prompt_length += prompt_length
        if (more := record.more) is not None:
            engine.token_num += more.input_tokens + more.output_tokens
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
        """Move a record from prefill to decode."""
        engine = record.engine
        if engine is None:
            record.phase = DECODE
            return
        if record.origin is not None:
            before = fingerprint(record, crc)
            record.phase = DECODE
            self._digests[crc % BUCKETS] ^= before ^ fingerprint(record, crc)
        else:
            record.phase = DECODE
        engine.prefill_req_num -= 1
        engine.prompt_length -= record.prompt_length

    def _end(self, crc: int, record: Record, tick: int) -> None:
        """Move a record to done: off its engine, on to its tombstone."""
        engine = record.engine
        if engine is None:
            record.phase = DONE
            record.more = None
            self._place(record, tick + self._stub_ticks)
            return
        if record.origin is not None:
            self._digests[crc % BUCKETS] ^= fingerprint(record, crc)
        engine.queued_req_num -= 1
        if record.phase is PREFILL:
            engine.prefill_req_num -= 1
            engine.prompt_length -= record.prompt_length
        if record.more is not None:
            self._strip(record, record.more, engine)
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
        record.more = None
        del self._buckets[crc32(record.request_id.encode()) % BUCKETS][record.request_id]
        self._records -= 1
