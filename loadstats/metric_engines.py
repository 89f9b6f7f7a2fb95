# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Which engines have samples of their own in a scrape, so that a scrape's size is bounded whatever gateways name.

Owned by the collector; one scrape at a time uses it. Pure.

While there are no more than `most`, all have; of more, those that `MetricRanks` chooses.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from loadstats.ledger import Row
from loadstats.metric_ranks import MetricRanks

OTHER = "other"  # no engine's name: these are addresses

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
        self._ranks: MetricRanks[Key] = MetricRanks(most)

    def choose(self, clusters: Mapping[str, Sequence[Row]]) -> dict[str, MetricRows]:
        """Return the rows by cluster, as this scrape shows them."""
        if sum(map(len, clusters.values())) <= self._most:
            self._ranks.clear()
            return {name: MetricRows(list(rows), []) for name, rows in clusters.items()}
        shown = self._ranks.choose(
            {(name, row.engine): row.queued_req_num for name, rows in clusters.items() for row in rows}
        )
        found: dict[str, MetricRows] = {}
        rest: list[Row] = []
        for name, rows in clusters.items():
            own = [row for row in rows if (name, row.engine) in shown]
            if own and name != OTHER:
                found[name] = MetricRows(own, [row for row in rows if (name, row.engine) not in shown])
            else:
                rest += rows
        if rest:
            found[OTHER] = MetricRows([], rest)
        return found
