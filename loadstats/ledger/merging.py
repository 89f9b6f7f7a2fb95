# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""How peers' events and copies are merged into the ledger.

Owned by the ledger; every method wants its lock held. Idempotent and free of order, as clients' calls are. A request's
state is its attempt and its phase, in that order: a later attempt stands over whatever the one before came to. Where
adds of one attempt disagree, the lowest dot stands on every node; an add without a dot changes nothing that is known.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from weakref import WeakValueDictionary
from zlib import crc32

from loadstats.ledger.cause import ELSEWHERE, UNKNOWN, better_known
from loadstats.ledger.clock import FIRST_TICK
from loadstats.ledger.cluster import Engine
from loadstats.ledger.copy import LATEST_AGE_SECONDS, RequestCopy
from loadstats.ledger.counts import LedgerCounts
from loadstats.ledger.due_records import DueRecords
from loadstats.ledger.engines import Engines
from loadstats.ledger.event import (
    LATEST,
    Added,
    Beat,
    Done,
    Dropped,
    Event,
    FirstToken,
    FromIncarnation,
    RequestRefreshed,
    TokensCounted,
)
from loadstats.ledger.limits import BUCKETS, LedgerFull, LedgerLimits
from loadstats.ledger.owners import Owners
from loadstats.ledger.phase import DECODE, DONE, PREFILL, Phase
from loadstats.ledger.record import Origin, Record, attempt_of
from loadstats.ledger.records import Records

# Of the caps. Peers stop their clients at the cap: what they took before that must find room here.
PEERS_SHARE = 1.25

NO_INCARNATION = ("", 0)  # its name, and when it was first seen

Covers = Callable[[str, int], bool]
"""Whether a node had seen an origin's event of this number."""


class Merging:
    """Merges into records, engines and owners.

    `incomplete_until`: the tick by which all that found no room here is too old to matter.
    """

    def __init__(
        self,
        limits: LedgerLimits,
        counts: LedgerCounts,
        engines: Engines,
        owners: Owners,
        records: Records,
        due: DueRecords,
    ) -> None:
        self.incomplete_until = FIRST_TICK
        self._limits = limits
        self._counts = counts
        self._engines = engines
        self._owners = owners
        self._records = records
        self._due = due
        self._origins: WeakValueDictionary[str, Origin] = WeakValueDictionary()  # there while a record has it
        self._most_owners = limits.max_owners * PEERS_SHARE

    def origin(self, name: str) -> Origin:
        """Return the origin of this name. Records of the same origin share it."""
        found = self._origins.get(name)
        if found is None:
            found = self._origins[name] = Origin.of(name)
        return found

    def has_records(self, origin: str) -> bool:
        """Return whether a record has an origin, or an event of it is being applied."""
        return origin in self._origins

    def event(self, event: Event, origin: Origin | None, seq: int, tick: int, wall_ns: int, age_seconds: int) -> None:
        """Apply an event of a peer's client, taken `age_seconds` ago."""
        match event:
            case Added():
                self._added(event, origin, seq, tick, wall_ns, age_seconds)
            case FirstToken(request_id, attempt):
                self._phase(crc32(request_id.encode()), request_id, attempt, DECODE, tick, wall_ns)
            case Done(request_id, cause, attempt):
                ended_tick = tick - age_seconds
                self._phase(crc32(request_id.encode()), request_id, attempt, DONE, tick, wall_ns, cause, ended_tick)
            case TokensCounted(request_id, input_tokens, output_tokens, attempt):
                crc = crc32(request_id.encode())
                self._records.hold(crc, request_id, attempt, input_tokens, output_tokens, tick, wall_ns)
            case RequestRefreshed(request_id, stamp_ms, attempt):
                record = self._records.find(request_id)
                if record is not None and _is_live(record) and attempt in (LATEST, attempt_of(record)):
                    due = tick - age_seconds + self._limits.request_ticks
                    self._records.renew(crc32(request_id.encode()), record, stamp_ms, due)
            case Beat(name, ttl_seconds, stamp_ms):
                self.beat(name, stamp_ms, tick - age_seconds + ttl_seconds + 1, tick, heard=True)
            case FromIncarnation():
                self._from_incarnation(event, origin, seq, tick, wall_ns, age_seconds)
            case Dropped(cluster, name):
                engine = self._engines.find(cluster, name)
                if engine is not None and not engine.queued_req_num:
                    self._engines.shut(engine)

    def bucket(
        self,
        bucket: int,
        copies: Sequence[RequestCopy],
        *,
        theirs: Covers,
        ours: Covers,
        tick: int,
        wall_ns: int,
        attempts: bool = True,
    ) -> int:
        """Merge a peer's whole bucket. Returns how many records changed here.

        A live record that only one side has is either new to the other or over there already. A node that has seen the
        add and lacks the record, or has it in a lower attempt, has seen its end. `theirs` and `ours` report who has
        seen what. Source: an optimized OR-set without tombstones (Bieniusa et al. 2012).

        `attempts`: whether the peer knows of attempts. If not, nothing follows from what it lacks of later ones.
        """
        changed = 0
        for copy in copies:
            changed += self._copy(bucket, copy, ours, tick, wall_ns)
        present = {copy.request_id: copy.attempt for copy in copies if copy.cluster}  # a stub has not seen the add
        for record in list(self._records.buckets[bucket].values()):
            if record.engine is None or record.phase is DONE or record.origin is None:
                continue
            attempt = attempt_of(record)
            if attempt > 1 and not attempts:
                continue
            if present.get(record.request_id, 0) < attempt and theirs(record.origin.name, record.seq):
                record.engine.changed(wall_ns)
                self._records.end(crc32(record.request_id.encode()), record, tick, ELSEWHERE)
                self._counts.count_end(ELSEWHERE)
                changed += 1
        self._counts.repaired += changed
        return changed

    def beat(self, name: str, stamp_ms: int, due_tick: int, tick: int, *, heard: bool) -> None:
        """Take a heartbeat that a peer took (`heard`), or knows of."""
        if due_tick + self._limits.request_ticks <= tick:
            return  # forgotten here too
        owner = self._owners.find(name, self._most_owners)
        if owner is None:
            self._counts.forgotten += 1
        elif not self._owners.beat(owner, stamp_ms, due_tick, tick, heard=heard):
            self._owners.forget_idle(owner)

    def incarnations(self, name: str, seen: Mapping[str, int], remaining_seconds: int, tick: int) -> None:
        """Take which incarnations of a gateway a peer knows, and for how long it remembers them."""
        self._owners.learn(name, seen, remaining_seconds, tick, self._most_owners)

    def _from_incarnation(
        self, event: FromIncarnation, origin: Origin | None, seq: int, tick: int, wall_ns: int, age_seconds: int
    ) -> None:
        """Apply what a gateway reported with its incarnation. A heartbeat of a superseded one is none."""
        report, named = event.event, (event.incarnation, event.since_ms)
        heard = self._owners.note(report.owner, *named, tick - age_seconds, self._most_owners) if report.owner else None
        if isinstance(report, Added):
            self._added(report, origin, seq, tick, wall_ns, age_seconds, named)
        elif heard is None or not heard.superseded:
            self.event(report, origin, seq, tick, wall_ns, age_seconds)

    def _added(
        self,
        event: Added,
        origin: Origin | None,
        seq: int,
        tick: int,
        wall_ns: int,
        age_seconds: int,
        incarnation: tuple[str, int] = NO_INCARNATION,
    ) -> None:
        request_id = event.request_id
        crc = crc32(request_id.encode())
        self._add(
            crc,
            request_id,
            event.attempt,
            event.cluster,
            event.engine,
            event.prompt_length,
            event.owner,
            origin,
            seq,
            tick,
            wall_ns,
            incarnation,
        )
        if not age_seconds:
            return
        record = self._records.buckets[crc % BUCKETS].get(request_id)
        if record is not None and (record.origin, record.seq) == (origin, seq) and record.phase is not DONE:
            record.since_tick = tick - age_seconds
            if record.extras is None or not (record.extras.orphaned or record.extras.refreshed_ms):
                self._due.move(record, record.since_tick + self._limits.request_ticks)

    def _copy(self, bucket: int, copy: RequestCopy, ours: Covers, tick: int, wall_ns: int) -> int:
        crc = crc32(copy.request_id.encode())
        if crc % BUCKETS != bucket:
            return 0  # not of this bucket: the peer is wrong about it
        records = self._records.buckets[bucket]
        before = records.get(copy.request_id)
        known = before is not None and _state(before)
        changed = False
        here = before is not None and before.engine is not None and attempt_of(before) >= copy.attempt
        if copy.phase != DONE and not here and copy.origin and ours(copy.origin, copy.seq):
            return 0  # it is over here
        if copy.cluster and (copy.phase != DONE or before is not None):
            origin = self.origin(copy.origin) if copy.origin else None
            self._add(
                crc,
                copy.request_id,
                copy.attempt,
                copy.cluster,
                copy.engine,
                copy.prompt_length,
                copy.owner,
                origin,
                copy.seq,
                tick,
                wall_ns,
                (copy.incarnation, max(1, copy.since_ms)) if copy.incarnation else NO_INCARNATION,
            )
        if copy.input_tokens or copy.output_tokens:
            changed = self._records.hold(
                crc, copy.request_id, copy.attempt, copy.input_tokens, copy.output_tokens, tick, wall_ns
            )
        if copy.phase != PREFILL:
            self._phase(crc, copy.request_id, copy.attempt, Phase(copy.phase), tick, wall_ns, copy.cause)
        record = records.get(copy.request_id)
        if record is None or attempt_of(record) != copy.attempt:
            return 0
        if copy.refreshed_ms and _is_live(record):
            due = tick + min(copy.remaining_seconds, self._limits.request_ticks)  # as long as a refresh holds
            changed |= self._records.renew(crc, record, copy.refreshed_ms, due, heard=False)
        state = _state(record)
        if state == known:
            return int(changed)
        if record.phase is DONE or not known or state[1:] != known[1:]:
            self._age(record, copy, tick)
        return 1

    def _age(self, record: Record, copy: RequestCopy, tick: int) -> None:
        """Make what is new here as old as its copy. It falls due when the copy does, if that is earlier."""
        due = tick + copy.remaining_seconds
        if record.engine is not None and record.phase is not DONE:
            record.since_tick = min(record.since_tick, tick - min(copy.age_seconds, LATEST_AGE_SECONDS))
            if (
                record.extras is not None
                and not record.extras.superseded
                and (owner := record.extras.owner) is not None
                and (owner.beat_ms or owner.present is not None)
            ):
                due = record.since_tick + self._limits.request_ticks  # there it may be due as an orphan
        extras = record.extras
        if due < record.due_tick and (extras is None or extras.superseded or not extras.orphaned):
            self._due.move(record, max(due, tick))

    def _add(
        self,
        crc: int,
        request_id: str,
        attempt: int,
        cluster: str,
        name: str,
        prompt_length: int,
        owner: str,
        origin: Origin | None,
        seq: int,
        tick: int,
        wall_ns: int,
        incarnation: tuple[str, int] = NO_INCARNATION,
    ) -> None:
        record = self._records.buckets[crc % BUCKETS].get(request_id)
        known = 1 if record is None else attempt_of(record)
        attempt = attempt or known
        if attempt < known:
            return
        if record is not None and attempt > known:
            self._records.restart(crc, record, attempt, tick, wall_ns)
        elif record is not None and record.engine is not None:
            if (
                record.phase is DONE
                or origin is None
                or (record.origin is not None and (record.origin.name, record.seq) <= (origin.name, seq))
            ):
                return
            self._records.withdraw(crc, record, tick, wall_ns)
        engine = self._room_for(record, cluster, name, tick)
        if engine is None:
            self._counts.forgotten += 1
            self.incomplete_until = tick + self._limits.request_ticks
            return
        if record is None:
            record = self._records.insert(crc, request_id, engine, prompt_length, tick, origin, seq, attempt)
        else:
            self._records.complete(crc, record, engine, prompt_length, tick, origin, seq)
        if owner and record.phase is not DONE:
            self._owners.own(record, owner, tick, self._most_owners, *incarnation)
        self._counts.added += 1
        engine.changed(wall_ns, tick)

    def _room_for(self, record: Record | None, cluster: str, name: str, tick: int) -> Engine | None:
        """Return the engine; None where it or a new record would pass a cap."""
        if record is None and self._records.size >= self._limits.max_records * PEERS_SHARE:
            return None
        try:
            return self._engines.use(cluster, name, tick)
        except LedgerFull:
            return None

    def _phase(
        self,
        crc: int,
        request_id: str,
        attempt: int,
        phase: Phase,
        tick: int,
        wall_ns: int,
        cause: int = UNKNOWN,
        ended_tick: int | None = None,
    ) -> None:
        """Move a record on. `ended_tick` is when a client ended it; None where that is not known: of a copy."""
        record = self._records.buckets[crc % BUCKETS].get(request_id)
        if record is None:
            self._records.remember(crc, request_id, phase, tick, attempt or 1, cause if phase is DONE else UNKNOWN)
            return
        if attempt and attempt != (known := attempt_of(record)):
            if attempt < known:
                return
            self._records.restart(crc, record, attempt, tick, wall_ns)
        if record.phase < phase:
            engine = record.engine
            if phase is DONE:
                if ended_tick is not None and engine is not None:
                    engine.ended(cause, record.since_tick, ended_tick, answered=record.phase is DECODE)
                self._counts.count_end(cause)
                self._records.end(crc, record, tick, cause)
            else:
                self._counts.first_tokens += engine is not None
                self._records.decode(crc, record)
            if engine is not None:
                engine.changed(wall_ns, tick)
        elif phase is DONE:
            record.cause = better_known(record.cause, cause)


def _is_live(record: Record) -> bool:
    return record.engine is not None and record.phase is not DONE


def _state(record: Record) -> tuple[Phase, Engine | None, int, int]:
    """Return what changes when a record moves; the phase first."""
    return record.phase, record.engine, record.seq, attempt_of(record)
