# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Which engines have samples of their own in a scrape, so that a scrape's size is bounded whatever gateways name.

Owned by the collector; one scrape at a time uses it. Pure.

While there are no more than `most`, all have. Of more, those with the most load have. An engine's rank is its load:
this scrape's and that of the scrapes before, each worth nine tenths of the next. One that was shown keeps its place
until another has twice its rank: so the same engines are shown, unless the load really moves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from heapq import nlargest

from msgspec import Struct

from loadstats.ledger import Row

OTHER = "other"  # no engine's name: these are addresses
KEPT = 0.9  # of a rank from one scrape to the next
FORGOTTEN = 0.01  # a rank below it is none
LEAD = 2.0  # times the rank of an engine that is shown, which another must have

Key = tuple[str, str]


class MetricRows(Struct, frozen=True, gc=False):
    """A cluster's rows in a scrape.

    `own`: those with samples of their own.
    `rest`: those that are summed up.
    """

    own: list[Row]
    rest: list[Row]


class MetricEngines:
    """Chooses at most `most` engines. Clusters of which none is chosen are one, `other`."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._shown: frozenset[Key] = frozenset()
        self._ranks: dict[Key, float] = {}

    def choose(self, clusters: Mapping[str, Sequence[Row]]) -> dict[str, MetricRows]:
        """Return the rows by cluster, as this scrape shows them."""
        if sum(map(len, clusters.values())) <= self._most:
            self._shown, self._ranks = frozenset(), {}
            return {name: MetricRows(list(rows), []) for name, rows in clusters.items()}
        self._rank(clusters)
        found: dict[str, MetricRows] = {}
        rest: list[Row] = []
        for name, rows in clusters.items():
            own = [row for row in rows if (name, row.engine) in self._shown]
            if own and name != OTHER:
                found[name] = MetricRows(own, [row for row in rows if (name, row.engine) not in self._shown])
            else:
                rest += rows
        if rest:
            found[OTHER] = MetricRows([], rest)
        return found

    def _rank(self, clusters: Mapping[str, Sequence[Row]]) -> None:
        """Take this scrape's load, and show those with the largest ranks."""
        before = self._ranks
        loads = {(name, row.engine): row.queued_req_num for name, rows in clusters.items() for row in rows}
        ranks = {key: load + KEPT * before.get(key, 0.0) for key, load in loads.items()}
        shown = self._shown

        def place(key: Key) -> float:
            return LEAD * ranks[key] + FORGOTTEN if key in shown else ranks[key]

        self._shown = frozenset(nlargest(self._most, ranks, key=place))
        self._ranks = {key: rank for key, rank in ranks.items() if rank >= FORGOTTEN}
