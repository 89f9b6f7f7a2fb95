# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""All engines: which clusters have which, and since when they are idle.

Owned by the ledger; every method wants its lock held.
"""

from __future__ import annotations

from itertools import count

from loadstats.ledger.cluster import Cluster, Engine
from loadstats.ledger.counts import LedgerCounts
from loadstats.ledger.expiry_queue import ExpiryQueue
from loadstats.ledger.limits import LedgerFull, LedgerLimits


class Engines:
    """The engines of all clusters.

    `clusters`: the clusters that have engines, by name.
    `quiet`: the engines, by when each will have been idle for too long.
    `incarnation`: what distinguishes this ledger's tags from those of other nodes and of other lives of this one.
    """

    def __init__(self, limits: LedgerLimits, counts: LedgerCounts) -> None:
        self.clusters: dict[str, Cluster] = {}
        self.quiet: ExpiryQueue[Engine] = ExpiryQueue()
        self.incarnation = b""
        self._limits = limits
        self._counts = counts
        self._numbers = count(1)

    def find(self, cluster: str, name: str) -> Engine | None:
        """Return an engine; None where it is not listed."""
        found = self.clusters.get(cluster)
        return None if found is None else found.engines.get(name)

    def use(self, cluster: str, name: str, tick: int) -> Engine:
        """Return the engine that an add names, opened where it is new. Raises LedgerFull."""
        found = self.clusters.get(cluster)
        engine = found.engines.get(name) if found is not None else None
        if engine is None or found is None:
            if self._counts.engines >= self._limits.max_engines:
                raise LedgerFull("engines", self._limits.max_engines)
            if found is None:
                tag = b"%b-%x-" % (self.incarnation, next(self._numbers))
                found = self.clusters[cluster] = Cluster(cluster, tag)
            engine = found.open(name)
            self.quiet.place(engine, tick + self._limits.request_ticks)
            self._counts.engines += 1
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
        self.clusters.clear()

    def _close(self, engine: Engine) -> None:
        """Forget an unlinked engine, and its cluster with the last."""
        cluster = engine.cluster
        assert cluster is not None
        cluster.close(engine)
        self._counts.engines -= 1
        if not cluster.engines:
            del self.clusters[cluster.name]
