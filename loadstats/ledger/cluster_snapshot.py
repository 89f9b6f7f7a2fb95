# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""A cluster as its watchers see it: cheap where nothing changed, and never long under the lock.

Any thread. A generator's `yield` is where other threads may have their turn; the lock is never held across one.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import AbstractContextManager
from dataclasses import dataclass

from loadstats.ledger.cluster import Cluster, Engine
from loadstats.ledger.engines import Engines
from loadstats.ledger.limits import SLICE

Lock = AbstractContextManager[object]

COPIED = 16_384  # entries of a list copied under one hold of the lock: 0.4 ms where none is in the processor's cache


@dataclass(frozen=True, slots=True)
class ClusterSnapshot:
    """A cluster's engines and, if asked for, their bytes at the same places.

    An engine keeps its place between two snapshots of the same `cluster` with the same `closings`. The next snapshot
    has all that changed after `revision`; a part of it may be in this one.

    `cluster`: the cluster that was read.
    `revision`, `closings`, `added_total`: as in `Cluster`.
    `order`: the engines.
    `encoded`: their rows as bytes; empty if not asked for.
    """

    cluster: Cluster
    revision: int
    closings: int
    added_total: int
    order: list[Engine]
    encoded: list[bytes]

    def places_of(self, other: ClusterSnapshot | None) -> bool:
        """Return whether the engines of `other` have the same places here. There may be more behind them."""
        return other is not None and other.cluster is self.cluster and other.closings == self.closings


def cluster_snapshot(
    lock: Lock, engines: Engines, name: str, last: ClusterSnapshot | None, *, encoded: bool
) -> Generator[None, None, ClusterSnapshot | None]:
    """Return the cluster now; `last` if nothing changed since, None for a cluster without engines."""
    while True:
        with lock:
            cluster = engines.clusters.get(name)
            if cluster is None:
                return None
            fresh = cluster.refresh(SLICE)
            if fresh and last is not None and last.cluster is cluster and last.revision == cluster.revision:
                return last
            now = ClusterSnapshot(cluster, cluster.revision, cluster.closings, cluster.added_total, [], [])
            size = len(cluster.order)
        if fresh and (yield from _copy(lock, engines, name, now, last, size, encoded=encoded)):
            return now
        yield


def _copy(
    lock: Lock,
    engines: Engines,
    name: str,
    now: ClusterSnapshot,
    last: ClusterSnapshot | None,
    size: int,
    *,
    encoded: bool,
) -> Generator[None, None, bool]:
    """Fill `now`. Returns False if places moved meanwhile."""
    cluster = now.cluster
    if last is not None and now.places_of(last):
        now.order.extend(last.order)
    known = len(now.order)
    for start in range(0, size, COPIED):
        if start:
            yield
        with lock:
            if engines.clusters.get(name) is not cluster or cluster.closings != now.closings:
                return False
            stop = min(start + COPIED, size)
            if encoded:
                now.encoded.extend(cluster.encoded[start:stop])
            if stop > known:
                now.order.extend(cluster.order[max(start, known) : stop])
    return True
