# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What the ledger holds: records in buckets, clusters of engines, owners, and when each of them falls due.

Owned by the ledger; every method that begins with an underscore wants its lock held.

Records live in 1,024 dicts by a hash of the request id. One dict of 1,000,000 would stall every caller for 38 ms when
it grows; a thousandth of it does for a thousandth.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from threading import Lock

from loadstats.ledger.cluster import Cluster, Engine
from loadstats.ledger.journal import Journal
from loadstats.ledger.record import Owner, Record
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
    owners: int = 0  # gateways that were named; like the first four, what is held
    orphans: int = 0  # requests in flight whose owner has lapsed; likewise
    released: int = 0  # orphans that nobody ended within the grace


class State:
    """All records and engines.

    `request_seconds`: a request that nobody ended goes after this long, and so does an engine that nobody used.
    `tombstone_seconds`: how long an ended request is remembered. `stub_seconds`: how long a call for an unknown one is;
    the add that it overtook may be as old as a partition between nodes, but no older than a request can get.
    `orphan_seconds`: how long a request whose owner has lapsed still counts.
    `max_records` bounds requests and tombstones together, `max_engines` the engines of all clusters, `max_owners` the
    gateways; past them adding raises `LedgerFull`.
    """

    def __init__(
        self,
        *,
        request_seconds: float = 660.0,
        tombstone_seconds: float = 60.0,
        stub_seconds: float | None = None,
        max_records: int = 4_000_000,
        max_engines: int = 100_000,
        orphan_seconds: float = 30.0,
        max_owners: int = 10_000,
    ) -> None:
        self._request_ticks = max(1, round(request_seconds))
        self._tombstone_ticks = max(1, round(tombstone_seconds))
        self._stub_ticks = self._tombstone_ticks if stub_seconds is None else max(1, round(stub_seconds))
        self._max_records = max_records
        self._max_engines = max_engines
        self._orphan_ticks = max(1, round(orphan_seconds))
        self._max_owners = max_owners
        self._lock = Lock()
        self._buckets: list[dict[str, Record]] = [{} for _ in range(BUCKETS)]
        self._digests = [0] * BUCKETS
        self._clusters: dict[str, Cluster] = {}
        self._numbers = count(1)
        self.life = b""  # what tells this ledger's tags from those of other nodes and of other lives of this one
        self._due: Wheel[Record] = Wheel()
        self._quiet: Wheel[Engine] = Wheel()
        self._owners: dict[str, Owner] = {}
        self._lapses: Wheel[Owner] = Wheel()  # owners by when they lapse, and then by when that is forgotten
        self._turning: dict[str, Owner] = {}  # owners some of whose requests may be counted as before
        self._dropped: list[tuple[str, Engine]] = []  # engines whose requests are to be ended, with their clusters
        self._bucket = 0  # where that goes on
        self._buckets_left = 0  # and for how long
        self._records = 0
        self._tick = 0
        self.journal: Journal | None = None
        # Told of engines that are no longer listed: cluster and name. Called under the lock, so it must be quick.
        self.on_closed: Callable[[str, str], object] | None = None
        # A peer has not heard of all that ended here: tombstones stay as long as a request may, while there is room.
        self.holding = False
        self._counts = Counts()

    def _at(self, now: float) -> int:
        """The tick of `now`. Records share the int, which saves 32 bytes each."""
        tick = int(now)
        if tick > self._tick:
            self._tick = tick
        return self._tick

    def _engine(self, cluster: str, ip: str, tick: int) -> Engine:
        """The engine that an add names, opened where it is new."""
        home = self._clusters.get(cluster)
        engine = home.engines.get(ip) if home is not None else None
        if engine is None:
            if self._counts.engines >= self._max_engines:
                raise LedgerFull("engines", self._max_engines)
            if home is None:
                home = self._clusters[cluster] = Cluster(cluster, b"%b-%x-" % (self.life, next(self._numbers)))
            engine = home.open(ip)
            self._quiet.place(engine, tick + self._request_ticks)
            self._counts.engines += 1
        home.added_total += 1  # type: ignore[union-attr] # it is there, for it has the engine
        return engine

    def _place(self, record: Record, tick: int) -> None:
        """Let a record fall due at `tick`, and no more at any other."""
        if record.next is not None:
            self._due.remove(record)
        record.due_tick = tick
        self._due.place(record, tick)

    def _close(self, engine: Engine) -> None:
        """Drop an unlinked engine without requests, and its cluster with the last."""
        home = engine.cluster
        assert home is not None
        home.close(engine)
        self._counts.engines -= 1
        if not home.engines:
            del self._clusters[home.name]
        if self.on_closed is not None:
            self.on_closed(home.name, engine.ip)

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
