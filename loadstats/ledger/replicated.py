# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The ledger as peers use it: apply what they took from clients, tell what is here, mend what differs.

Under the same lock as clients' calls, in slices. Idempotent and free of order like those. Nothing that comes from a
peer is journalled: each node tells only what it took itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated
from zlib import crc32

from msgspec import Meta, Struct

from loadstats.ledger.cluster import Engine
from loadstats.ledger.event import (
    LATEST_MS,
    Added,
    Beat,
    Done,
    Dropped,
    Event,
    FirstToken,
    Refreshed,
    TokenNum,
    Tokens,
)
from loadstats.ledger.ledger import Ledger
from loadstats.ledger.record import DECODE, DONE, PREFILL, More, Origin, Phase, Record
from loadstats.ledger.state import BUCKETS, SLICE, LedgerFull

# Of the cap on records. Peers stop their clients at the cap: what they took before that must find room here.
PEERS_SHARE = 1.25
MAX_ORIGINS = 1024

Covers = Callable[[str, int], bool]
"""Whether somebody had seen an origin's event of this number."""


class Copy(Struct, frozen=True, array_like=True, gc=False):
    """A record as it travels. `remaining_seconds` is until it falls due, `age_seconds` since its add: ages travel, not
    clock readings.

    A stub has an empty `cluster`; a record without a dot an empty `origin`.
    """

    request_id: Annotated[str, Meta(min_length=1, max_length=256)]
    phase: Annotated[int, Meta(ge=0, le=2)]
    remaining_seconds: Annotated[int, Meta(ge=0, le=2**31)]
    cluster: Annotated[str, Meta(max_length=256)] = ""
    ip: Annotated[str, Meta(max_length=64)] = ""
    prompt_length: Annotated[int, Meta(ge=0, le=2**31 - 1)] = 0
    origin: Annotated[str, Meta(max_length=128)] = ""
    seq: Annotated[int, Meta(ge=0)] = 0
    owner: Annotated[str, Meta(max_length=256)] = ""
    input_tokens: TokenNum = 0
    output_tokens: TokenNum = 0
    refreshed_ms: Annotated[int, Meta(ge=0, le=LATEST_MS)] = 0
    age_seconds: Annotated[int, Meta(ge=0, le=2**31)] = 0


class ReplicatedLedger(Ledger):
    """A ledger that takes part in replication."""

    def __init__(self, **options: float) -> None:
        super().__init__(**options)  # type: ignore[arg-type]
        self._origins: dict[str, Origin] = {}
        self._incomplete_until = 0  # the tick by which all that found no room here is too old to matter

    @property
    def complete(self) -> bool:
        """Whether all that peers told of is in. Not for as long as a request may live after there was no room."""
        return self._tick >= self._incomplete_until

    @property
    def tombstone_seconds(self) -> int:
        """How long an ended request is remembered."""
        return self._tombstone_ticks

    def origin(self, name: str) -> Origin:
        """The origin of this name; records of the same origin share it."""
        found = self._origins.get(name)
        if found is None:
            if len(self._origins) >= MAX_ORIGINS:
                self._origins.clear()  # records keep their own; only the sharing begins anew
            found = self._origins[name] = Origin.of(name)
        return found

    # Events of peers

    def apply(
        self,
        events: Sequence[Event],
        origin: Origin | None,
        first: int,
        now: float,
        wall_ns: int,
        age_seconds: float = 0.0,
        later_seconds: Sequence[int] = (),
    ) -> None:
        """What a peer's clients reported: its events number `first` and on, or without a dot. The first was taken
        `age_seconds` ago, each other so many `later_seconds` than that, or at about the same time.

        Where adds of one id disagree, the lowest dot stands on every node; one without a dot changes nothing that is
        known.
        """
        seq, age = first, int(age_seconds)
        oldest = age
        for start in range(0, len(events), SLICE):
            with self._lock:
                tick = self._at(now)
                for event in events[start : start + SLICE]:
                    kind = type(event)
                    if later_seconds:
                        age = max(0, oldest - later_seconds[seq - first])
                    if kind is Added:
                        self._apply_add(event, origin, seq, tick, wall_ns, age)  # type: ignore[arg-type]
                    elif kind is FirstToken or kind is Done:
                        request_id: str = event.request_id  # type: ignore[union-attr]
                        phase = DECODE if kind is FirstToken else DONE
                        self._merge_phase(crc32(request_id.encode()), request_id, phase, tick, wall_ns)
                    else:
                        self._apply_rare(event, tick, wall_ns, age)
                    seq += 1

    def tell(self, event: object, now: float, size: int) -> None:
        """Journal what another part took from its clients: in one line with the ledger's own events, which are taken
        down under the same lock. `size` is its bytes where they are many."""
        with self._lock:
            if self.journal is not None:
                self.journal.append(event, now, size)

    # What peers compare

    def digests(self) -> list[int]:
        """64 bits for each bucket; two ledgers with the same live records have the same."""
        return list(self._digests)

    def copies(self, bucket: int, now: float) -> list[Copy]:
        """Everything in a bucket, tombstones and stubs too."""
        with self._lock:
            tick = self._at(now)
            return [_copy(record, tick) for record in self._buckets[bucket].values()]

    def merge(
        self, bucket: int, copies: Sequence[Copy], *, theirs: Covers, ours: Covers, now: float, wall_ns: int
    ) -> int:
        """Take a peer's whole bucket in. Returns how many records changed here.

        A live record that only one side has is either news to the other or over there already. Who has seen its add
        (`theirs` and `ours` tell) and lacks it has seen its end. Both sides of that rule are applied here.
        """
        changed = 0
        with self._lock:
            tick = self._at(now)
            for copy in copies:
                changed += self._merge_copy(bucket, copy, ours, tick, wall_ns)
            present = {copy.request_id for copy in copies if copy.cluster}  # a stub has not seen the add
            for record in list(self._buckets[bucket].values()):
                if record.engine is None or record.phase is DONE or record.origin is None:
                    continue
                if record.request_id not in present and theirs(record.origin.name, record.seq):
                    self._changed(record.engine, wall_ns)
                    self._end(crc32(record.request_id.encode()), record, tick)
                    changed += 1
            self._counts.repaired += changed
        return changed

    def owners(self, now: float) -> dict[str, tuple[int, int]]:
        """Gateways by name: when each last said that it lives, and for how many seconds that holds; below 0 where it is
        over."""
        with self._lock:
            owners = list(self._owners.values())
        found = {}
        for start in range(0, len(owners), SLICE):
            with self._lock:
                tick = self._at(now)
                for owner in owners[start : start + SLICE]:
                    if owner.beat_ms:
                        found[owner.name] = owner.beat_ms, owner.due_tick - tick
        return found

    def merge_owners(self, owners: Mapping[str, tuple[int, int]], now: float) -> None:
        """What a peer knows of gateways."""
        names = list(owners)
        for start in range(0, len(names), SLICE):
            with self._lock:
                tick = self._at(now)
                for name in names[start : start + SLICE]:
                    stamp_ms, remaining_seconds = owners[name]
                    self._merge_beat(name, stamp_ms, tick + remaining_seconds, tick, heard=False)

    # Under the lock

    def _apply_add(
        self, event: Added, origin: Origin | None, seq: int, tick: int, wall_ns: int, age_seconds: int
    ) -> None:
        request_id = event.request_id
        crc = crc32(request_id.encode())
        self._merge_add(
            crc, request_id, event.cluster, event.ip, event.prompt_length, event.owner, origin, seq, tick, wall_ns
        )
        if not age_seconds:
            return
        record = self._buckets[crc % BUCKETS].get(request_id)
        if record is not None and (record.origin, record.seq) == (origin, seq) and record.phase is not DONE:
            record.since_tick = tick - age_seconds
            if record.more is None or not (record.more.orphaned or record.more.refreshed_ms):
                self._place(record, record.since_tick + self._request_ticks)

    def _apply_rare(self, event: Event, tick: int, wall_ns: int, age_seconds: int) -> None:
        match event:
            case Tokens(request_id, input_tokens, output_tokens):
                crc = crc32(request_id.encode())
                self._merge_tokens(crc, request_id, input_tokens, output_tokens, tick, wall_ns)
            case Refreshed(request_id, stamp_ms):
                crc = crc32(request_id.encode())
                record = self._buckets[crc % BUCKETS].get(request_id)
                if record is not None and record.engine is not None and record.phase is not DONE:
                    self._renew(crc, record, stamp_ms, tick - age_seconds + self._request_ticks)
            case Beat(name, ttl_seconds, stamp_ms):
                self._merge_beat(name, stamp_ms, tick - age_seconds + ttl_seconds + 1, tick, heard=True)
            case Dropped(cluster, ip):
                home = self._clusters.get(cluster)
                engine = None if home is None else home.engines.get(ip)
                if engine is not None and not engine.queued_req_num:
                    self._shut(engine)

    def _merge_beat(self, name: str, stamp_ms: int, due_tick: int, tick: int, *, heard: bool) -> None:
        if due_tick + self._request_ticks <= tick:
            return  # forgotten here too
        owner = self._owner(name, self._max_owners * PEERS_SHARE)
        if owner is None:
            self._counts.forgotten += 1
        elif not self._beat(owner, stamp_ms, due_tick, heard=heard):
            self._leave(owner)

    def _merge_copy(self, bucket: int, copy: Copy, ours: Covers, tick: int, wall_ns: int) -> int:
        crc = crc32(copy.request_id.encode())
        if crc % BUCKETS != bucket:
            return 0  # not of this bucket: the peer is wrong about it
        before = self._buckets[bucket].get(copy.request_id)
        known = before is not None and (before.phase, before.engine, before.seq)
        changed = False
        here = before is not None and before.engine is not None
        if copy.phase != DONE and not here and copy.origin and ours(copy.origin, copy.seq):
            return 0  # it is over here
        if copy.cluster and (copy.phase != DONE or before is not None):
            origin = self.origin(copy.origin) if copy.origin else None
            self._merge_add(
                crc,
                copy.request_id,
                copy.cluster,
                copy.ip,
                copy.prompt_length,
                copy.owner,
                origin,
                copy.seq,
                tick,
                wall_ns,
            )
        if copy.input_tokens or copy.output_tokens:
            changed = self._merge_tokens(crc, copy.request_id, copy.input_tokens, copy.output_tokens, tick, wall_ns)
        if copy.phase != PREFILL:
            self._merge_phase(crc, copy.request_id, Phase(copy.phase), tick, wall_ns)
        record = self._buckets[bucket].get(copy.request_id)
        if record is None:
            return 0
        if copy.refreshed_ms and record.engine is not None and record.phase is not DONE:
            changed |= self._renew(crc, record, copy.refreshed_ms, tick + copy.remaining_seconds, heard=False)
        if (record.phase, record.engine, record.seq) == known:
            return int(changed)
        if record.phase is DONE or not known or (record.engine, record.seq) != known[1:]:
            self._age(record, copy, tick)
        return 1

    def _age(self, record: Record, copy: Copy, tick: int) -> None:
        """What is new here is as old as its copy, and falls due when that does, where that is earlier than else."""
        due = tick + copy.remaining_seconds
        if record.engine is not None and record.phase is not DONE:
            record.since_tick = min(record.since_tick, tick - copy.age_seconds)
            if record.more is not None and (owner := record.more.owner) is not None and owner.beat_ms:
                due = record.since_tick + self._request_ticks  # there it may be due as an orphan
        if due < record.due_tick and (record.more is None or not record.more.orphaned):
            self._place(record, max(due, tick))

    def _merge_add(
        self,
        crc: int,
        request_id: str,
        cluster: str,
        ip: str,
        prompt_length: int,
        owner: str,
        origin: Origin | None,
        seq: int,
        tick: int,
        wall_ns: int,
    ) -> None:
        record = self._buckets[crc % BUCKETS].get(request_id)
        if record is not None and record.engine is not None:
            if (
                record.phase is DONE
                or origin is None
                or (record.origin is not None and (record.origin.name, record.seq) <= (origin.name, seq))
            ):
                return
            self._withdraw(crc, record, wall_ns)
        engine = self._room_for(record, cluster, ip, tick)
        if engine is None:
            self._counts.forgotten += 1
            self._incomplete_until = tick + self._request_ticks
            return
        if record is None:
            record = self._insert(crc, request_id, engine, prompt_length, tick, origin, seq)
        else:
            self._complete(crc, record, engine, prompt_length, tick, origin, seq)
        if owner and record.phase is not DONE:
            self._own(record, owner, tick, self._max_owners * PEERS_SHARE)
        self._counts.added += 1
        self._used(engine, tick, wall_ns)

    def _room_for(self, record: Record | None, cluster: str, ip: str, tick: int) -> Engine | None:
        """The engine, where neither it nor a new record goes over a cap."""
        if record is None and self._records >= self._max_records * PEERS_SHARE:
            return None
        try:
            return self._engine(cluster, ip, tick)
        except LedgerFull:
            return None

    def _withdraw(self, crc: int, record: Record, wall_ns: int) -> None:
        """Turn a live record into a stub of its phase: another add of the same id stands."""
        engine, phase, more = record.engine, record.phase, record.more
        assert engine is not None
        kept = None
        if more is not None:
            kept = More(None, None, record, more.input_tokens, more.output_tokens, more.refreshed_ms)
        self._end(crc, record, self._tick)
        self._changed(engine, wall_ns)
        self._counts.tombstones -= 1
        self._counts.stubs += 1
        record.phase, record.engine, record.origin, record.seq, record.more = phase, None, None, 0, kept

    def _merge_phase(self, crc: int, request_id: str, phase: Phase, tick: int, wall_ns: int) -> None:
        record = self._buckets[crc % BUCKETS].get(request_id)
        if record is None:
            self._remember(crc, request_id, phase, tick)
        elif record.phase < phase:
            engine = record.engine
            if phase is DONE:
                self._counts.done += 1
                self._end(crc, record, tick)
            else:
                self._counts.first_tokens += engine is not None
                self._decode(crc, record)
            if engine is not None:
                self._used(engine, tick, wall_ns)


class Hearsay:
    """A ledger as a peer of the original's kind uses it: its calls count, are not journalled and carry no dot."""

    def __init__(self, ledger: ReplicatedLedger) -> None:
        self._ledger = ledger

    def add(
        self,
        request_id: str,
        cluster: str,
        ip: str,
        prompt_length: int,
        now: float,
        wall_ns: int,
        owner: str = "",
        match: object = None,
    ) -> None:
        """A client of the peer's sent a request to an engine."""
        self._ledger.apply([Added(request_id, cluster, ip, prompt_length)], None, 0, now, wall_ns)

    def first_token(self, request_id: str, now: float, wall_ns: int) -> None:
        """A client of the peer's saw a request's first token."""
        self._ledger.apply([FirstToken(request_id)], None, 0, now, wall_ns)

    def done(self, request_id: str, now: float, wall_ns: int) -> None:
        """A client of the peer's ended a request."""
        self._ledger.apply([Done(request_id)], None, 0, now, wall_ns)


def _copy(record: Record, tick: int) -> Copy:
    engine, origin, more = record.engine, record.origin, record.more
    home = None if engine is None else engine.cluster  # what is left of an engine that is gone travels as a stub
    return Copy(
        record.request_id,
        record.phase,
        max(0, record.due_tick - tick),
        "" if home is None else home.name,
        "" if engine is None else engine.ip,
        record.prompt_length,
        "" if origin is None else origin.name,
        record.seq,
        "" if more is None or more.owner is None else more.owner.name,
        0 if more is None else more.input_tokens,
        0 if more is None else more.output_tokens,
        0 if more is None else more.refreshed_ms,
        tick - record.since_tick,
    )
