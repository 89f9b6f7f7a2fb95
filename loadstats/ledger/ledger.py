# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The ledger as clients and people use it: report, ask, let time pass.

Thread-safe: one lock guards all state, and no call holds it for more than about a millisecond. Every operation is
idempotent and free of order: add, first token and done may come in any order, twice, from anyone.
"""

from __future__ import annotations

from typing import Annotated
from zlib import crc32

from msgspec import Meta, Struct

from loadstats.ledger.aging import Aging
from loadstats.ledger.answers import Answers
from loadstats.ledger.cluster import Engine, EngineName, Row
from loadstats.ledger.event import Added, Beat, Done, FirstToken, Refreshed, Tokens, later_ms
from loadstats.ledger.record import DECODE, DONE, PREFILL, Record
from loadstats.ledger.state import BUCKETS, LedgerFull


class Match(Struct, frozen=True):
    """What a client believes of an engine's row. None: it doesn't care."""

    queued_req_num: Annotated[int, Meta(ge=0)] | None = None
    prompt_length: Annotated[int, Meta(ge=0)] | None = None
    prefill_req_num: Annotated[int, Meta(ge=0)] | None = None


class Mismatch(Exception):
    """An engine is not as a client believes; `row` is how it is."""

    def __init__(self, row: Row) -> None:
        super().__init__("the engine's load is another")
        self.row = row


class Ledger(Aging, Answers):
    """All requests of all clusters. See `Book` for the arguments.

    `now` is a monotonic time in seconds, `wall_ns` the wall-clock time in nanoseconds, both from the caller.
    """

    # What clients report

    def add(
        self,
        request_id: str,
        cluster: str,
        ip: str,
        prompt_length: int,
        now: float,
        wall_ns: int,
        owner: str = "",
        match: Match | None = None,
    ) -> bool:
        """A request was sent to an engine, by the gateway `owner` where it names itself. False, and nothing changes,
        where the id is known already.

        Raises `Mismatch` where the engine's numbers are not those of `match`, and `LedgerFull`.
        """
        crc = crc32(request_id.encode())
        with self._lock:
            record = self._buckets[crc % BUCKETS].get(request_id)
            if record is not None and record.engine is not None:
                self._counts.repeated += 1
                return False
            if match is not None:
                self._compare(cluster, ip, match)
            self._add(crc, record, request_id, cluster, ip, prompt_length, now, wall_ns, owner)
            return True

    def _add(
        self,
        crc: int,
        record: Record | None,
        request_id: str,
        cluster: str,
        ip: str,
        prompt_length: int,
        now: float,
        wall_ns: int,
        owner: str,
    ) -> Engine:
        """Take a new request in, or one that is known as a stub, under the lock."""
        if record is None and self._records >= self._max_records:
            raise LedgerFull("requests", self._max_records)
        tick = self._at(now)
        if owner and owner not in self._owners and len(self._owners) >= self._max_owners:
            raise LedgerFull("owners", self._max_owners)
        engine = self._engine(cluster, ip, tick)
        journal = self.journal
        origin, seq = None, 0
        if journal is not None:
            origin, seq = journal.origin, journal.append(Added(request_id, cluster, ip, prompt_length, owner), now)
        if record is None:
            record = self._insert(crc, request_id, engine, prompt_length, tick, origin, seq)
        else:
            self._complete(crc, record, engine, prompt_length, tick, origin, seq)
        if owner and record.phase is not DONE:
            self._own(record, owner, tick, self._max_owners)
        self._counts.added += 1
        self._used(engine, tick, wall_ns)
        return engine

    def _compare(self, cluster: str, ip: str, match: Match) -> None:
        """Raise `Mismatch` where an engine is not as a client believes. One that nobody has used yet is idle."""
        home = self._clusters.get(cluster)
        engine = None if home is None else home.engines.get(ip)
        row = Engine(name=EngineName.of(ip)).row() if engine is None else engine.row()
        if any(
            expected is not None and expected != found
            for expected, found in (
                (match.queued_req_num, row.queued_req_num),
                (match.prompt_length, row.prompt_length),
                (match.prefill_req_num, row.prefill_req_num),
            )
        ):
            raise Mismatch(row)

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

    def tokens(self, request_id: str, input_tokens: int, output_tokens: int, now: float, wall_ns: int) -> bool:
        """A request holds so many tokens. False where it is known to hold as many, or to be over."""
        crc = crc32(request_id.encode())
        with self._lock:
            tick = self._at(now)
            if not self._merge_tokens(crc, request_id, input_tokens, output_tokens, tick, wall_ns):
                self._counts.repeated += 1
                return False
            if self.journal is not None:
                self.journal.append(Tokens(request_id, input_tokens, output_tokens), now)
            return True

    def _merge_tokens(
        self, crc: int, request_id: str, input_tokens: int, output_tokens: int, tick: int, wall_ns: int
    ) -> bool:
        record = self._buckets[crc % BUCKETS].get(request_id)
        if record is None:
            if not (input_tokens or output_tokens) or not self._remember(crc, request_id, PREFILL, tick):
                return False
            record = self._buckets[crc % BUCKETS][request_id]
        if record.phase is DONE or not self._count_tokens(crc, record, input_tokens, output_tokens):
            return False
        if (engine := record.engine) is not None:
            self._used(engine, tick, wall_ns)
        return True

    def refresh(self, request_id: str, now: float, wall_ns: int) -> bool:
        """A request is still under way: it expires as late as one that began now. False where it is unknown or over,
        or should have expired by now: other nodes may have ended it."""
        crc = crc32(request_id.encode())
        with self._lock:
            tick = self._at(now)
            record = self._buckets[crc % BUCKETS].get(request_id)
            if record is None or record.engine is None or record.phase is DONE:
                return False
            if record.due_tick <= tick and not self._reprieve(record, tick):
                return False
            stamp_ms = later_ms(wall_ns, 0 if record.more is None else record.more.refreshed_ms)
            self._renew(crc, record, stamp_ms, tick + self._request_ticks)
            if self.journal is not None:
                self.journal.append(Refreshed(request_id, stamp_ms), now)
            return True

    def beat(self, owner: str, ttl_seconds: int, now: float, wall_ns: int) -> None:
        """A gateway lives, and that holds for so long: until then none of its requests expires. Raises `LedgerFull`."""
        with self._lock:
            owned = self._owner(owner, self._max_owners)
            if owned is None:
                raise LedgerFull("owners", self._max_owners)
            stamp_ms = later_ms(wall_ns, owned.beat_ms)
            self._beat(owned, stamp_ms, self._at(now) + ttl_seconds + 1)  # a tick may be over in a moment
            if self.journal is not None:
                self.journal.append(Beat(owner, ttl_seconds, stamp_ms), now)
