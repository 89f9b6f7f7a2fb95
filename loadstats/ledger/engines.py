# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""All engines: which clusters have which, and since when they are idle.

Owned by the ledger; every method wants its lock held.
"""

from __future__ import annotations

from itertools import count

from loadstats.ledger.client import LOOKS
from loadstats.ledger.clients import Clients
from loadstats.ledger.cluster import Cluster, Engine
from loadstats.ledger.counts import LedgerCounts
from loadstats.ledger.expiry_queue import ExpiryQueue
from loadstats.ledger.limits import LedgerFull, LedgerLimits
from loadstats.ledger.sizes import engine_size

BRIEF_SECONDS = 60  # of use; an engine that is more than a name is used for longer
QUIET_SECONDS = 10  # since the last use


class Engines:
    """The engines of all clusters.

    `clusters`: the clusters that have engines, by name.
    `quiet`: the engines, by when each will have been idle for too long.
    `incarnation`: what distinguishes this ledger's tags from those of other nodes and of other lives of this one.
    `size`: how many there are; one of a cluster with a long name counts as several (`sizes.py`).
    """

    def __init__(self, limits: LedgerLimits, counts: LedgerCounts, clients: Clients) -> None:
        self.clusters: dict[str, Cluster] = {}
        self.quiet: ExpiryQueue[Engine] = ExpiryQueue()
        self.incarnation = b""
        self.size = 0
        self._limits = limits
        self._counts = counts
        self._clients = clients
        self._numbers = count(1)

    def find(self, cluster: str, name: str) -> Engine | None:
        """Return an engine; None where it is not listed."""
        found = self.clusters.get(cluster)
        return None if found is None else found.engines.get(name)

    def use(self, cluster: str, name: str, tick: int, client: str = "") -> Engine:
        """Return the engine that an add names, opened for the client where it is new. Raises LedgerFull."""
        found = self.clusters.get(cluster)
        engine = found.engines.get(name) if found is not None else None
        if engine is None or found is None:
            if self.size * 2 > self._limits.max_engines:
                self._make_room(client, tick)
                found = self.clusters.get(cluster)  # it may have had but the engine that was closed
            if found is None:
                tag = b"%b-%x-" % (self.incarnation, next(self._numbers))
                found = self.clusters[cluster] = Cluster(cluster, tag)
            engine = found.open(name)
            self.quiet.place(engine, tick + self._limits.request_ticks)
            self._counts.engines += 1
            engine.opened_tick = tick
            size = engine_size(cluster)
            self.size += size
            if client:
                engine.client = by = self._clients.of(client)
                by.engines.add(engine, size)
        found.added_total += 1
        return engine

    def shut(self, engine: Engine) -> None:
        """Close a listed engine, whatever runs on it."""
        self.quiet.remove(engine)
        self._close(engine)

    def expire(self, tick: int, most: int) -> int:
        """Close at most `most` engines that have been idle for too long. Returns how many were looked at."""
        handled = 0
        while handled < most and (engine := self.quiet.pop_due(tick)) is not None:
            due = engine.used_tick + self._limits.request_ticks
            if engine.queued_req_num or due > tick:
                self.quiet.place(engine, max(due, tick + 1))
            else:
                self._close(engine)
            handled += 1
        return handled

    def clear(self) -> None:
        """Forget all engines."""
        self.quiet.clear()
        for cluster in self.clusters.values():
            for engine in cluster.order:
                engine.client = None
        self.clusters.clear()
        self.size = 0

    def _make_room(self, name: str, tick: int) -> None:
        """Let a client open another engine. Closes an engine without requests if need be. Raises LedgerFull.

        What a closed engine had was a row of zeros. It is opened again by the next request that is sent to it.
        """
        cap = self._limits.max_engines
        client = self._clients.held(name)
        if self.size >= cap and not self._close_invented(tick):
            raise LedgerFull("engines", cap)
        if client is not None and (share := self._clients.excess(cap, self.size, client.engines.size)):
            engine = client.engines.first(lambda each: not each.queued_req_num)
            if not isinstance(engine, Engine):
                raise LedgerFull("engines", cap, share)
            self.shut(engine)

    def _close_invented(self, tick: int) -> bool:
        """Close an engine that has no requests and never had any for long. Returns whether one was found."""
        for _ in range(LOOKS):
            engine = self.quiet.pop_first()
            if engine is None:
                return False
            brief = engine.used_tick - engine.opened_tick < BRIEF_SECONDS
            if brief and not engine.queued_req_num and engine.used_tick + QUIET_SECONDS <= tick:
                self._close(engine)
                return True
            self.quiet.place(engine, max(engine.used_tick + self._limits.request_ticks, tick + 1))
        return False

    def _close(self, engine: Engine) -> None:
        """Forget an unlinked engine, and its cluster with the last."""
        cluster = engine.cluster
        assert cluster is not None
        cluster.close(engine)
        self._counts.engines -= 1
        self.size -= engine_size(cluster.name)
        if (client := engine.client) is not None:
            engine.client = None
            client.engines.remove(engine)
            self._clients.forget_idle(client)
        if not cluster.engines:
            del self.clusters[cluster.name]
