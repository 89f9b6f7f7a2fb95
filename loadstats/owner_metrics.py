# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What the gateways have in flight, for Prometheus. Runs on the scraping thread; the ledger is read in slices."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from time import time

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from loadstats.ledger import GatewayCensus, GatewayKey, Tally
from loadstats.metric_ranks import MetricRanks
from loadstats.shared_census import SharedCensus

OTHER = "other"  # a kind: all gateways without samples of their own
LABELS = ("kind", "gateway")


class OwnerCollector(Collector):
    """The gateways' requests.

    `census`: the census that calls and pages use too.
    `most`: how many gateways have samples of their own: those with the most requests. The rest are one, `other`.
    `wall`: returns wall-clock seconds.
    """

    def __init__(self, census: SharedCensus, most: int = 100, *, wall: Callable[[], float] = time) -> None:
        self._census = census
        self._wall = wall
        self._ranks: MetricRanks[GatewayKey] = MetricRanks(most)

    def collect(self) -> Iterator[Metric]:
        census = self._census.whole()
        totals = {(each.kind, each.name): (each, _total(each)) for each in census.gateways}
        shown = self._ranks.choose({key: total.requests for key, (_, total) in totals.items()})
        requests = GaugeMetricFamily("metadata_center_owner_requests", "Requests in flight.", labels=LABELS)
        orphans = GaugeMetricFamily("metadata_center_owner_orphans", "Orphaned requests in flight.", labels=LABELS)
        oldest = GaugeMetricFamily(
            "metadata_center_owner_oldest_seconds", "Age of the oldest request in flight.", labels=LABELS
        )
        heartbeat = GaugeMetricFamily(
            "metadata_center_owner_heartbeat_age_seconds", "Time since the last heartbeat.", labels=LABELS
        )
        ended = CounterMetricFamily(
            "metadata_center_owner_ended_by_age", "Requests that this node ended by age.", labels=LABELS
        )
        rest = Tally()
        for key, (each, total) in totals.items():
            if key not in shown:
                rest.add(total)
                continue
            requests.add_metric(key, total.requests)
            orphans.add_metric(key, total.orphans)
            oldest.add_metric(key, max(0, census.tick - total.oldest_tick) if total.requests else 0)
            if each.beat_ms:
                heartbeat.add_metric(key, max(0.0, self._wall() - each.beat_ms / 1000))
            ended.add_metric(key, each.ended_by_age)
        if len(totals) > len(shown):
            other = OTHER, OTHER
            requests.add_metric(other, rest.requests)
            orphans.add_metric(other, rest.orphans)
            oldest.add_metric(other, max(0, census.tick - rest.oldest_tick) if rest.requests else 0)
        yield from (requests, orphans, oldest, heartbeat, ended)


def _total(each: GatewayCensus) -> Tally:
    total = Tally()
    for tally in each.clusters.values():
        total.add(tally)
    return total
