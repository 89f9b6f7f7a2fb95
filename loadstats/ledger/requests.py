# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The ledger as people look into it: one request by its id, all of them page by page, and the gateways they are of.

Any thread. Reads under the ledger's lock, at most `SLICE` records at a time. A request that exists from a walk's first
page to its last is met exactly once: pages are ordered by bucket, and in a bucket by request id.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from heapq import heappush, heappushpop

from msgspec import Struct

from loadstats.ledger.cause import name_of, outcome_of
from loadstats.ledger.clock import TickClock
from loadstats.ledger.cluster import Engine
from loadstats.ledger.gateway import GatewayKey, gateway_of
from loadstats.ledger.limits import BUCKETS, SLICE
from loadstats.ledger.owners import Owners, TurnedOwner
from loadstats.ledger.phase import Phase
from loadstats.ledger.record import Owner, Record
from loadstats.ledger.records import Records

EARLY = "early"
"""The phase of a stub: a first token or an end came, and the add that it overtook has not."""

NAMES = {phase: phase.name.lower() for phase in Phase}
IN_FLIGHT = frozenset({"prefill", "decode"})


class RequestView(Struct, frozen=True, gc=False):
    """A request as it was when it was read.

    `cluster`, `ip`: its cluster and its engine's name; both empty for an early one.
    `phase`: prefill, decode, done or early.
    `age_seconds`: since its add, or since the early call, by this node's clock.
    `remaining_seconds`: until it expires, or is forgotten if it is over.
    `origin`, `seq`: the node that took its add, as `node@epoch`, and the number of the event; empty and 0 if unknown.
    `owner`: the gateway that answers for it while it is in flight.
    `orphaned`: whether that gateway has fallen silent, or has started anew since.
    `input_tokens`, `output_tokens`: what it holds on its engine.
    `attempt`: which attempt of the request it is about.
    `superseded`: whether that gateway has started anew since, under another incarnation. Then it is orphaned.
    `cause`: why it ended: gateway, operator, age, silence, engine_drop or elsewhere; empty while it has not, or where
    that is unknown.
    `outcome`: error where the engine failed at it, as its gateway said; else empty.
    `heartbeats`: whether that gateway has ever sent one. Without any its requests end by age alone.
    """

    request_id: str
    cluster: str
    ip: str
    phase: str
    age_seconds: int
    remaining_seconds: int
    prompt_length: int
    origin: str
    seq: int
    owner: str = ""
    orphaned: bool = False
    input_tokens: int = 0
    output_tokens: int = 0
    heartbeats: bool = False
    cause: str = ""
    attempt: int = 1
    superseded: bool = False
    outcome: str = ""


class Filter(Struct, frozen=True):
    """Which requests to show. An empty member lets all pass. `phases` are named as in `RequestView`.

    `owner`: of this gateway.
    `client`: reported by this client of the node, and without an owner.
    """

    cluster: str = ""
    ip: str = ""
    phases: frozenset[str] = frozenset()
    least_age_seconds: int = 0
    owner: str = ""
    client: str = ""

    @property
    def gateway(self) -> GatewayKey | None:
        """The gateway that it names; None for all."""
        if self.owner:
            return "owner", self.owner
        return ("client", self.client) if self.client else None


class Cursor(Struct, frozen=True):
    """Where a walk goes on: after `request_id` in `bucket`."""

    bucket: int = 0
    request_id: str = ""


class Page(Struct, frozen=True):
    """Some of the requests that pass a filter. `looked` records were looked at for it.

    `next` is None at the end; else there may be more, even where this page is not full.
    """

    views: tuple[RequestView, ...]
    next: Cursor | None
    looked: int


class OldestRequests(Struct, frozen=True):
    """An engine's requests in flight.

    `views`: those that are oldest, the oldest first.
    `met`: how many it has among the records that were looked at.
    `looked`: how many records those are.
    """

    views: tuple[RequestView, ...]
    met: int
    looked: int


class RequestReader:
    """Reads one ledger's records and owners. `now` is in monotonic seconds."""

    def __init__(
        self, lock: AbstractContextManager[object], clock: TickClock, records: Records, owners: Owners
    ) -> None:
        self._lock = lock
        self._clock = clock
        self._records = records
        self._owners = owners

    def look(self, request_id: str, now: float) -> RequestView | None:
        """One request; None where it is unknown here."""
        with self._lock:
            record = self._records.find(request_id)
            return None if record is None else _seen(record, self._clock.at(now))

    def page(
        self,
        filter_: Filter,
        cursor: Cursor,
        now: float,
        *,
        most: int,
        most_looked: int,
        pause: Callable[[], object] = lambda: None,
    ) -> Page:
        """The next requests that pass, at most `most`, from the first whole buckets that hold `most_looked` records.

        `pause` is called between two holds of the lock.
        """
        found: list[RequestView] = []
        looked = 0
        after = cursor.request_id
        for bucket in range(cursor.bucket, BUCKETS):
            passed: list[RequestView] = []
            for part in self._slices(bucket):
                passed += self._passing(part, filter_, after, now)
                looked += len(part)
                pause()
            passed.sort(key=_request_id)
            room = most - len(found)
            found += passed[:room]
            if len(passed) > room or (len(passed) == room and room > 0):
                return Page(tuple(found), Cursor(bucket, found[-1].request_id), looked)
            after = ""
            if looked >= most_looked and bucket + 1 < BUCKETS:
                return Page(tuple(found), Cursor(bucket + 1), looked)
        return Page(tuple(found), None, looked)

    def oldest(
        self,
        engine: Engine,
        now: float,
        *,
        most: int,
        most_looked: int,
        pause: Callable[[], object] = lambda: None,
    ) -> OldestRequests:
        """Return an engine's requests in flight, at most `most`, the oldest first.

        Looks at whole buckets until it has met as many as the engine has, or looked at `most_looked` records. `pause`
        is called between two holds of the lock.
        """
        oldest: list[tuple[int, str, Record]] = []  # a heap with the youngest on top
        looked = met = 0
        for bucket in range(BUCKETS):
            if looked >= most_looked or met >= engine.queued_req_num:
                break
            for part in self._slices(bucket):
                looked += len(part)
                for record in part:
                    if record.engine is engine and record.phase is not Phase.DONE:
                        met += 1
                        (heappush if len(oldest) < most else heappushpop)(
                            oldest, (-record.since_tick, record.request_id, record)
                        )
                pause()
        with self._lock:
            tick = self._clock.at(now)
            found = [_seen(record, tick) for _, _, record in sorted(oldest, key=_oldest) if record.engine is engine]
        return OldestRequests(tuple(found), met, looked)

    def matching(self, filter_: Filter, now: float) -> Iterator[list[RequestView]]:
        """Yield the requests that pass and were known at `now`, a slice of all records at a time."""
        for bucket in range(BUCKETS):
            for part in self._slices(bucket):
                yield self._passing(part, filter_, "", now)

    def records(self) -> Iterator[Record]:
        """Yield all records, a bucket at a time: each bucket is of one moment, the whole is not."""
        for bucket in self._records.buckets:
            with self._lock:
                part = list(bucket.values())
            yield from part

    def owners(self) -> list[Owner]:
        """Return the gateways that are known, to be read and not to be changed."""
        with self._lock:
            return list(self._owners)

    def turned_owners(self) -> list[TurnedOwner]:
        """Return the gateways that fell silent or came back since the last call, in order."""
        with self._lock:
            found = list(self._owners.turned)
            self._owners.turned.clear()
        return found

    def clusters_of_owner(self, owner: str) -> set[str]:
        """Return the clusters in which a gateway has requests in flight.

        Holds the lock for 0.1 ms with 1,000 requests; meant for the few callers whose clusters are limited.
        """
        with self._lock:
            return self._owners.clusters_of(owner)

    def _slices(self, bucket: int) -> Iterator[list[Record]]:
        """A bucket's records of one moment, a slice at a time."""
        records = self._records.buckets[bucket]
        with self._lock:
            all_ = list(records.values())  # pointers: 4 µs for the 1,000 of a ledger of a million
        for start in range(0, len(all_), SLICE):
            yield all_[start : start + SLICE]

    def _passing(self, records: list[Record], filter_: Filter, after: str, now: float) -> list[RequestView]:
        cluster, ip, phases = filter_.cluster, filter_.ip, filter_.phases
        # A tuple: the hash of an enum's member is a call of Python's.
        wanted = tuple(phase for phase, name in NAMES.items() if name in phases or not phases)
        early = not phases or EARLY in phases
        gateway = filter_.gateway
        with self._lock:
            tick = self._clock.at(now)
            latest = tick - filter_.least_age_seconds
            passed = []
            for record in records:
                engine = record.engine
                if record.since_tick > latest or record.request_id <= after or record.next is None:
                    continue  # without `next` it was forgotten since the slice was cut
                if engine is None:
                    if not early or cluster or ip:
                        continue
                elif (
                    record.phase not in wanted
                    or (ip and engine.name != ip)
                    or (cluster and (engine.cluster is None or engine.cluster.name != cluster))
                ):
                    continue
                if gateway is not None and gateway_of(record) != gateway:
                    continue
                passed.append(_seen(record, tick))
            return passed


def _seen(record: Record, tick: int) -> RequestView:
    engine, origin, extras = record.engine, record.origin, record.extras
    cluster = None if engine is None else engine.cluster
    return RequestView(
        record.request_id,
        "" if cluster is None else cluster.name,
        "" if engine is None else engine.name,
        EARLY if engine is None else NAMES[record.phase],
        max(0, tick - record.since_tick),
        max(0, record.due_tick - tick),
        record.prompt_length,
        "" if origin is None else origin.name,
        record.seq,
        "" if extras is None or extras.owner is None else extras.owner.name,
        extras is not None and extras.orphaned,
        0 if extras is None else extras.input_tokens,
        0 if extras is None else extras.output_tokens,
        extras is not None and extras.owner is not None and extras.owner.beat_ms > 0,
        name_of(record.cause),
        1 if extras is None else extras.attempt,
        extras is not None and extras.superseded,
        outcome_of(record.cause),
    )


def _oldest(entry: tuple[int, str, Record]) -> tuple[int, str]:
    return -entry[0], entry[1]


def _request_id(view: RequestView) -> str:
    return view.request_id
