# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The ledger: which engine serves which requests, and the load that follows from it.

Thread-safe: one lock guards all state, and no call holds it for more than about a millisecond. Every operation is
idempotent and free of order: add, first token and done may come in any order, twice, from any thread.

A call may say which attempt of its request it is about. A later attempt stands over whatever the one before came to. A
call that says none (`LATEST`) is about the latest one that is known here.

The state is in small owners: `Records`, `Engines`, `Owners`, what falls due, what merges. This class puts them together
and takes what clients report; `Adding` does the rest of an add. Others share its lock: `loads`, `requests`, `censuses`,
`reservations` and `replica`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from threading import Lock
from typing import Unpack
from zlib import crc32

from loadstats.ledger.adding import Adding
from loadstats.ledger.age_ends import AgeEnds
from loadstats.ledger.cause import GATEWAY
from loadstats.ledger.census import CensusTaker
from loadstats.ledger.client import LedgerClient
from loadstats.ledger.clients import Clients
from loadstats.ledger.clock import TickClock
from loadstats.ledger.counts import LedgerCounts
from loadstats.ledger.drops import EngineDrops
from loadstats.ledger.due_records import DueRecords
from loadstats.ledger.engines import Engines
from loadstats.ledger.event import (
    LATEST,
    Done,
    FirstToken,
    TokensCounted,
)
from loadstats.ledger.event_sink import ClientEvents, EventSink
from loadstats.ledger.expiry import Expiry
from loadstats.ledger.keepalive import KeepAlive
from loadstats.ledger.limits import BUCKETS, SLICE, LedgerLimits, LedgerOptions
from loadstats.ledger.loads import LoadReader
from loadstats.ledger.match import Match
from loadstats.ledger.merging import Merging
from loadstats.ledger.owners import Owners
from loadstats.ledger.phase import DECODE, DONE, PREFILL
from loadstats.ledger.record import Record, attempt_of, confirm
from loadstats.ledger.records import Records
from loadstats.ledger.replica import LedgerReplica
from loadstats.ledger.requests import RequestReader
from loadstats.ledger.reservations import Reservations
from loadstats.ledger.resuming import Resuming
from loadstats.ledger.row import Row


class Ledger:
    """All requests of all clusters. See `LedgerOptions` for the arguments.

    `now` is a monotonic time in seconds, `wall_ns` the wall-clock time in nanoseconds, both from the caller.
    `client` is who makes the call: what the call leaves counts against that client's share of the caps (`clients.py`).
    Without one (empty) nothing but the caps bounds it.

    `loads`: the ledger as those see it who ask for load.
    `requests`: the ledger as people look into it.
    `censuses`: what each gateway has in flight.
    `reservations`: choosing an engine and adding a request to it in one step.
    `replica`: the ledger as peers use it.
    `resuming`: how the ledger goes on after it was restored.
    `on_dropped`: called with cluster and name of an engine that a client drops, listed here or not. Returns whether
        anything else knew the engine.
    """

    def __init__(self, **options: Unpack[LedgerOptions]) -> None:
        limits = self._limits = LedgerLimits.of(**options)
        self.on_dropped: Callable[[str, str], bool] | None = None
        self._lock = lock = Lock()
        self._clock = clock = TickClock()
        self._counts = counts = LedgerCounts()
        self._events = events = ClientEvents()
        due = DueRecords()
        self._clients = clients = Clients(limits)
        self._engines = engines = Engines(limits, counts, clients)
        self._owners = owners = Owners(limits, counts, due, clients)
        self._records = records = Records(limits, counts, owners, due, clients)
        self._buckets = records.buckets
        self._age_ends = age_ends = AgeEnds()
        self._expiry = Expiry(limits, counts, records, due, age_ends)
        self._drops = EngineDrops(counts, engines, records, events)
        self._keep_alive = KeepAlive(limits, counts, owners, records, self._expiry, events)
        self._adding = adding = Adding(limits, clock, counts, engines, owners, records, events)
        merging = Merging(limits, counts, engines, owners, records, due)
        self.loads = LoadReader(lock, engines)
        self.requests = RequestReader(lock, clock, records, owners)
        self.censuses = CensusTaker(lock, clock, records, owners, age_ends)
        self.reservations = Reservations(lock, clock, counts, engines, owners, records, adding)
        self.replica = LedgerReplica(lock, clock, limits, records, owners, self._expiry, merging)
        self.resuming = Resuming(lock, clock, limits, records, owners, self._expiry, counts)

    @property
    def journal(self) -> EventSink | None:
        """Where clients' reports are written for peers; None in a node without peers."""
        return self._events.journal

    @journal.setter
    def journal(self, value: EventSink | None) -> None:
        self._events.journal = value

    @property
    def nodes(self) -> int:
        """How many nodes are known, this one included. Each client's share is divided by it."""
        return self._clients.nodes

    @nodes.setter
    def nodes(self, value: int) -> None:
        self._clients.nodes = max(1, value)

    # What clients report

    def add(
        self,
        request_id: str,
        cluster: str,
        engine: str,
        prompt_length: int,
        now: float,
        wall_ns: int,
        owner: str = "",
        match: Match | None = None,
        *,
        attempt: int = LATEST,
        incarnation: str = "",
        client: str = "",
    ) -> bool:
        """Add a request to an engine, for the gateway `owner` if it names itself.

        `incarnation` sets this life of the gateway apart from others. If it is the latest, what its other lives left is
        orphaned; else this request is.

        Returns False, and changes nothing, if the id is known, unless from an earlier attempt. Raises `Mismatch` if the
        engine's numbers are not those of `match`, and `LedgerFull`.
        """
        crc = crc32(request_id.encode())
        with self._lock:
            record = self._buckets[crc % BUCKETS].get(request_id)
            if record is not None and _is_known(record, attempt):
                self._counts.repeated += 1
                confirm(record)
                return False
            if match is not None:
                match.check(self._engines.find(cluster, engine), engine)
            self._adding.add(
                crc,
                record,
                request_id,
                cluster,
                engine,
                prompt_length,
                now,
                wall_ns,
                owner,
                attempt,
                incarnation,
                client,
            )
            if incarnation:
                self._owners.settle(self._clock.at(now), wall_ns, SLICE)
            return True

    def first_token(self, request_id: str, now: float, wall_ns: int, attempt: int = LATEST, client: str = "") -> bool:
        """End a request's prefill. Returns False if that was known, or the request is done."""
        crc = crc32(request_id.encode())
        with self._lock:
            record = self._buckets[crc % BUCKETS].get(request_id)
            tick = self._clock.at(now)
            if attempt and record is not None and attempt > attempt_of(record):
                self._records.restart(crc, record, attempt, tick, wall_ns)
            if record is None:
                record = self._records.remember(crc, request_id, DECODE, tick, attempt or 1, client=client)
                if record is None:
                    return False
            elif record.phase is not PREFILL or (attempt and attempt < attempt_of(record)):
                self._counts.repeated += 1
                confirm(record)
                return False
            else:
                self._records.decode(crc, record)
                self._counts.first_tokens += 1
                if (engine := record.engine) is not None:
                    engine.changed(wall_ns, tick)
            if (journal := self._events.journal) is not None:
                journal.append(FirstToken(request_id, attempt_of(record)), now)
            return True

    def done(
        self, request_id: str, now: float, wall_ns: int, cause: int = GATEWAY, attempt: int = LATEST, client: str = ""
    ) -> bool:
        """End a request. Returns False if that was known. `cause` is why, a byte as in `cause.py`."""
        crc = crc32(request_id.encode())
        with self._lock:
            record = self._buckets[crc % BUCKETS].get(request_id)
            tick = self._clock.at(now)
            if attempt and record is not None and attempt > attempt_of(record):
                self._records.restart(crc, record, attempt, tick, wall_ns)
            if record is None:
                record = self._records.remember(crc, request_id, DONE, tick, attempt or 1, cause, client)
                if record is None:
                    return False
            elif record.phase is DONE or (attempt and attempt < attempt_of(record)):
                self._counts.repeated += 1
                return False
            else:
                if cause is GATEWAY:
                    self._counts.done += 1
                else:
                    self._counts.count_end(cause)
                if (engine := record.engine) is not None:
                    engine.changed(wall_ns, tick)
                    if cause is not GATEWAY or engine.failures is not None:
                        engine.ended(cause, record.since_tick, tick, answered=record.phase is DECODE)
                self._records.end(crc, record, tick, cause)
            if (journal := self._events.journal) is not None:
                journal.append(Done(request_id, cause, attempt_of(record)), now)
            return True

    def tokens(
        self,
        request_id: str,
        input_tokens: int,
        output_tokens: int,
        now: float,
        wall_ns: int,
        attempt: int = LATEST,
        client: str = "",
    ) -> bool:
        """Set how many tokens a request holds. Returns False if it holds as many already, or is over."""
        crc = crc32(request_id.encode())
        with self._lock:
            tick = self._clock.at(now)
            if not self._records.hold(crc, request_id, attempt, input_tokens, output_tokens, tick, wall_ns, client):
                self._counts.repeated += 1
                return False
            if (journal := self._events.journal) is not None:
                attempt = attempt_of(self._buckets[crc % BUCKETS][request_id])
                journal.append(TokensCounted(request_id, input_tokens, output_tokens, attempt), now)
            return True

    def refresh(self, request_id: str, now: float, wall_ns: int, attempt: int = LATEST) -> bool:
        """Let a request expire as late as one that begins now.

        Returns False if it is unknown, over or in another attempt, or should have expired by now: other nodes may have
        ended it.
        """
        crc = crc32(request_id.encode())
        with self._lock:
            return self._keep_alive.refresh(crc, request_id, attempt, now, self._clock.at(now), wall_ns)

    def beat(
        self, owner: str, ttl_seconds: int, now: float, wall_ns: int, incarnation: str = "", client: str = ""
    ) -> bool:
        """Take a gateway's heartbeat: none of its requests expires for `ttl_seconds`.

        An owner that has no requests is forgotten two minutes after its last one, whatever `ttl_seconds` says.

        If it names an incarnation and that is the latest, what the gateway's other lives left is orphaned. Returns
        False, and changes nothing, if a later incarnation is known. Raises `LedgerFull`.
        """
        with self._lock:
            return self._keep_alive.beat(owner, ttl_seconds, incarnation, client, now, self._clock.at(now), wall_ns)

    def drop(self, cluster: str, engine: str) -> int | None:
        """Forget an engine, its requests and what else is known of it. Returns how many requests those are; None if
        nothing knew the engine.

        It is no longer listed at once. `lapse` ends the requests one by one, and so on every node.
        """
        with self._lock:
            ended = self._drops.drop(cluster, engine)
        known = self.on_dropped is not None and self.on_dropped(cluster, engine)
        return 0 if ended is None and known else ended

    @property
    def dropping(self) -> bool:
        """Whether requests of dropped engines are still to be ended. Needs no lock."""
        return bool(self._drops)

    def journal_event(self, event: object, now: float, size: int) -> None:
        """Journal what another part took from its clients, in one line with the ledger's own events. `size` is its
        bytes where they are many."""
        with self._lock:
            if (journal := self._events.journal) is not None:
                journal.append(event, now, size)

    # What time does, in slices: call again until 0

    def expire(self, now: float, wall_ns: int) -> int:
        """End and forget what is too old, one slice of it. Returns how many were handled."""
        with self._lock:
            tick = self._clock.at(now)
            handled = self._expiry.expire(tick, wall_ns, SLICE)
            return handled + self._engines.expire(tick, SLICE - handled)

    def lapse(self, now: float, wall_ns: int) -> int:
        """Count requests of silent gateways as orphaned, and back where they are heard again; end requests of dropped
        engines. One slice; returns how many were handled."""
        with self._lock:
            tick = self._clock.at(now)
            handled = self._owners.lapse(tick, wall_ns, SLICE)
            if handled < SLICE and self._drops:
                handled += self._drops.clear_bucket(now, tick, (SLICE - handled) // 2)  # 4 µs each
            return handled

    def clear(self) -> None:
        """Forget everything at once. For tests and for Django's `cache.clear()`, not for a node under load."""
        with self._lock:
            self._records.clear()
            self._engines.clear()
            self._owners.clear()
            self._drops.clear()
            self._age_ends.clear()
            self._clients.clear()
            self._counts.clear_held()

    # What they ask

    def clusters(self) -> list[str]:
        """Return the names of the clusters that have engines."""
        return self.loads.clusters()

    def rows(self, cluster: str) -> list[Row]:
        """Return the cluster's rows. See `LoadReader.rows`."""
        return self.loads.rows(cluster)

    def find(self, request_id: str) -> Record | None:
        """Return the record of a request, to be read and not to be changed."""
        return self._records.find(request_id)

    def cluster_of(self, request_id: str) -> str | None:
        """Return the cluster of a request; None if the request, or its engine, is unknown. Needs no lock."""
        record = self._records.find(request_id)
        engine = None if record is None else record.engine
        cluster = None if engine is None else engine.cluster
        return None if cluster is None else cluster.name

    def clients(self) -> list[LedgerClient]:
        """Return the clients that hold something here, to be read and not to be changed."""
        with self._lock:
            return list(self._clients)

    def counts(self) -> LedgerCounts:
        """Return the numbers of this moment."""
        with self._lock:
            return replace(self._counts)


def _is_known(record: Record, attempt: int) -> bool:
    """Return whether an add of this attempt changes nothing."""
    known = attempt_of(record)
    return record.engine is not None if attempt in (LATEST, known) else attempt < known
