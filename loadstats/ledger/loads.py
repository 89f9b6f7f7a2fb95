# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The ledger as those see it who ask for load: answers and their tags, rows, sums and snapshots of clusters.

Any thread. Reads under the ledger's lock, in slices where there may be much.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from contextlib import AbstractContextManager
from itertools import count

from loadstats.ledger.cluster import Engine
from loadstats.ledger.cluster_snapshot import ClusterSnapshot, cluster_snapshot
from loadstats.ledger.engines import Engines
from loadstats.ledger.failures import Failures
from loadstats.ledger.limits import SLICE
from loadstats.ledger.row import Row
from loadstats.ledger.totals import ClusterTotals, clusters_after, totals


class LoadReader:
    """Reads one ledger's engines.

    `cached_at`: returns the names of the engines of a cluster at an address of whose caches something is known.
    """

    def __init__(self, lock: AbstractContextManager[object], engines: Engines) -> None:
        self.cached_at: Callable[[str, str], Iterable[str]] = lambda cluster, ip: ()
        self._lock = lock
        self._engines = engines

    @property
    def incarnation(self) -> bytes:
        """What distinguishes this ledger's tags from those of other nodes and of other lives of this one."""
        return self._engines.incarnation

    @incarnation.setter
    def incarnation(self, value: bytes) -> None:
        self._engines.incarnation = value

    def answer(self, cluster: str) -> bytes:
        """Return the cluster's rows as a JSON array; `null` for a cluster without engines."""
        with self._lock:
            found = self._engines.clusters.get(cluster)
            return b"null" if found is None else found.answer()

    def tagged_answer(self, cluster: str, *, full: bool = False) -> tuple[bytes, bytes]:
        """Return the answer and its tag. No other answer for the cluster has this tag, here or in any incarnation.

        If `full`, rows have what is 0, too. The tag is the same.
        """
        with self._lock:
            found = self._engines.clusters.get(cluster)
            if found is None:
                return b"null", self._engines.incarnation + b"-0"
            return found.full_answer() if full else found.answer(), found.answer_tag

    def tag(self, cluster: str) -> bytes:
        """Return the tag of the answer that would be given now; empty if the cluster changed since the last answer."""
        with self._lock:
            found = self._engines.clusters.get(cluster)
            if found is None:
                return self._engines.incarnation + b"-0"
            return found.answer_tag if found.answer_bytes else b""

    def clusters(self) -> list[str]:
        """Return the names of the clusters that have engines."""
        return list(self._engines.clusters)

    def engines(self, cluster: str) -> dict[str, Engine]:
        """Return a cluster's engines by name, to be read and not to be changed."""
        with self._lock:
            found = self._engines.clusters.get(cluster)
            return {} if found is None else found.engines.copy()

    def rows(self, cluster: str) -> list[Row]:
        """Return the cluster's rows, read in slices: each slice is of one moment, the whole is not."""
        rows: dict[str, Row] = {}  # by name: engines move to another place while this reads
        for start in count(0, SLICE):
            with self._lock:
                found = self._engines.clusters.get(cluster)
                part = [] if found is None else [(each.name, each.row()) for each in found.order[start : start + SLICE]]
            if not part:
                break
            rows.update(part)
        return list(rows.values())

    def failing(self, cluster: str) -> list[tuple[str, Failures]]:
        """Return the cluster's engines that failed since they last did well, and how they did. Usually none."""
        with self._lock:
            found = self._engines.clusters.get(cluster)
            engines = [] if found is None else found.failing.values()
            return [(each.name, each.failures) for each in engines if each.failures is not None]

    def cluster_snapshot(
        self, cluster: str, last: ClusterSnapshot | None, *, encoded: bool
    ) -> Generator[None, None, ClusterSnapshot | None]:
        """Return the cluster now; `last` if nothing changed since, None for a cluster without engines."""
        return cluster_snapshot(self._lock, self._engines, cluster, last, encoded=encoded)

    def clusters_after(self, name: str, most: int) -> Generator[None, None, list[str]]:
        """Return the next clusters after a name, by name."""
        return clusters_after(self._engines, name, most)

    def totals(self, names: Iterable[str]) -> Generator[None, None, list[ClusterTotals]]:
        """Return the sums of clusters."""
        return totals(self._lock, self._engines, names)

    def engine(self, cluster: str, name: str) -> Engine | None:
        """Return an engine, to be read and not to be changed; None if it is not listed."""
        return self._engines.find(cluster, name)

    def names_at(self, cluster: str, ip: str) -> list[str]:
        """Return the names of an address's engines in a cluster, the one without port and rank first, listed or not.

        Engines that are known by their caches alone are among them.
        """
        with self._lock:
            found = self._engines.clusters.get(cluster)
            engines = [] if found is None else list(found.engines.values())
        listed = [engine.name for engine in engines if engine.parts.ip == ip]
        return list(dict.fromkeys([ip, *listed, *self.cached_at(cluster, ip)]))
