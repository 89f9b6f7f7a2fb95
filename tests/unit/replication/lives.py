# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Lives of one node on a clock of the tests': each with a ledger and an index, and with files in memory."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from itertools import count
from typing import Any

from msgspec import structs

from kvcache.handlers import CacheHandlers
from kvcache.index import CacheIndex
from loadstats.ledger import Ledger
from replication.entities import Entities
from replication.entities.caches import ReplicatedCaches
from replication.entities.requests import ReplicatedRequests
from replication.journal import CAPACITY, Journal
from replication.replica import Replica
from replication.snapshot.capture import Capture
from replication.snapshot.frames import FrameReader
from replication.snapshot.moment import Moment
from replication.snapshot.restoring import Restored, Restoring
from replication.snapshot.tail import Tail

REQUEST_SECONDS = 600
WALL = 1_700_000_000


class Machine:
    """The time of a machine, in seconds. `monotonic` begins anew with each start of it, at `began`."""

    def __init__(self) -> None:
        self.time = 5_000.0
        self.began = 0.0
        self.boots = count()
        self.boot = next(self.boots)

    def monotonic(self) -> float:
        return self.time - self.began

    def wall_ns(self) -> int:
        return int((WALL + self.time) * 1e9)

    def moment(self) -> Moment:
        return Moment(f"boot {self.boot}", int(self.monotonic() * 1e9), self.wall_ns())

    def start_anew(self, uptime: float = 3.0) -> None:
        """Start the machine anew: its monotonic clock begins with `uptime`."""
        self.boot = next(self.boots)
        self.began = self.time - uptime


class Life:
    """One life of the node."""

    def __init__(
        self, machine: Machine, origin: str = "10.0.0.1:8080@1", *, alone: bool = True, capacity: int = CAPACITY
    ) -> None:
        self.machine = machine
        self.alone = alone
        self.now = machine.monotonic
        self.ledger = Ledger(request_seconds=REQUEST_SECONDS, stub_seconds=REQUEST_SECONDS, orphan_seconds=30)
        self.journal = Journal(self.ledger.replica.origin(origin), capacity=capacity)
        self.ledger.journal = self.journal
        self.index = CacheIndex()
        self.cache_calls = CacheHandlers(self.index, now=self.now, wall_ns=machine.wall_ns)
        caches = ReplicatedCaches(
            self.index, self.ledger.journal_event, self.cache_calls.stamps.seen, lambda name: name
        )
        self.cache_calls.journal = caches
        self.replica = Replica(self.journal, Entities(ReplicatedRequests(self.ledger, lambda name: name), caches))
        self.replica.joined = True
        self.tail = Tail(self.journal, self.now)
        self.tail_file = self.begin_tail()

    # What clients say

    def add(self, request_id: str, engine: str = "10.0.0.9", **more: Any) -> None:
        self.ledger.add(request_id, "c", engine, 100, self.now(), self.machine.wall_ns(), **more)

    def first_token(self, request_id: str) -> None:
        self.ledger.first_token(request_id, self.now(), self.machine.wall_ns())

    def done(self, request_id: str) -> None:
        self.ledger.done(request_id, self.now(), self.machine.wall_ns())

    def tokens(self, request_id: str, number: int) -> None:
        self.ledger.tokens(request_id, number, number, self.now(), self.machine.wall_ns())

    def beat(self, owner: str, ttl_seconds: int = 60, incarnation: str = "") -> None:
        self.ledger.beat(owner, ttl_seconds, self.now(), self.machine.wall_ns(), incarnation)

    # What time does

    def work(self) -> None:
        """Lapse and expire all that is due."""
        while self.ledger.lapse(self.now(), self.machine.wall_ns()):
            pass
        while self.ledger.expire(self.now(), self.machine.wall_ns()):
            pass

    def live(self) -> set[str]:
        """The requests that count."""
        return {
            record.request_id
            for record in self.ledger.requests.records()
            if record.engine is not None and record.phase != 2
        }

    def copies(self) -> list[Any]:
        """Everything, as it travels; tombstones by what is left of them in another life."""
        found = [copy for bucket in range(1024) for copy in self.ledger.replica.copies(bucket, self.now())]
        return sorted(
            (copy.request_id, copy.phase, copy.attempt)
            if copy.phase == 2
            else (copy.request_id, copy.phase, copy.attempt, *structs.astuple(copy)[3:])
            for copy in found
        )

    # What it leaves

    def begin_tail(self) -> BytesIO:
        self.tail_file = BytesIO(self.tail.head(self.machine.moment()))
        self.tail_file.seek(0, 2)
        return self.tail_file

    def write(self, *, clean: bool = False) -> bytes:
        """Append what is new to the tail. Returns all of it."""
        while frames := self.tail.take():
            self.tail_file.write(frames)
            self.tail.written()
        if clean:
            self.tail_file.write(self.tail.end())
        return self.tail_file.getvalue()

    def capture(self) -> bytes:
        """A snapshot, with a tail that begins at it: what was reported before is in no tail."""
        self.write()
        self.begin_tail()
        return b"".join(Capture(self.replica, 1, self.machine.moment(), self.now, alone=self.alone).frames())


def restoring(life: Life, snapshot: bytes | None, tails: Sequence[bytes]) -> Restoring:
    """What puts files into a life that has just begun."""
    return Restoring(
        None if snapshot is None else FrameReader(BytesIO(snapshot)),
        [FrameReader(BytesIO(tail)) for tail in tails],
        at=life.machine.moment(),
        now=life.now(),
        most_seconds=REQUEST_SECONDS,
    )


def restore(life: Life, snapshot: bytes | None, *tails: bytes) -> Restored:
    """Put files into a life that has just begun."""
    work = restoring(life, snapshot, tails)
    work.survey()
    return work.merge(life.replica, life.machine.wall_ns())
