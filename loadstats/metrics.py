# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What the ledger tells Prometheus. Runs on the scraping thread; the ledger is read in slices."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from loadstats.cache import MemoryLoadCache
from metadata_center.aliases import with_aliases


class LoadCollector(Collector):
    """Every engine's load, and what happened in the ledger."""

    def __init__(self, cache: MemoryLoadCache) -> None:
        self._ledger = cache.ledger

    def collect(self) -> Iterator[Metric]:
        engines = GaugeMetricFamily("metadata_center_cluster_engines", "Engines listed.", labels=["cluster"])
        queued = GaugeMetricFamily(
            "metadata_center_engine_queued_requests", "Requests in flight.", labels=["cluster", "engine"]
        )
        prompts = GaugeMetricFamily(
            "metadata_center_engine_prompt_length",
            "Prompt length of requests in prefill, in the gateways' unit.",
            labels=["cluster", "engine"],
        )
        for cluster in self._ledger.clusters():
            rows = self._ledger.rows(cluster)
            engines.add_metric([cluster], len(rows))
            for row in rows:
                labels = [cluster, row.ip]
                queued.add_metric(labels, row.queued_req_num)
                prompts.add_metric(labels, row.prompt_length)
        for family in (engines, queued, prompts):
            yield from with_aliases(family)
        yield from self._totals()

    def _totals(self) -> Iterator[Metric]:
        counts = self._ledger.counts()
        held = GaugeMetricFamily("metadata_center_ledger_records", "Records held, by state.", labels=["state"])
        held.add_metric(["in_flight"], counts.in_flight)
        held.add_metric(["tombstone"], counts.tombstones)
        held.add_metric(["stub"], counts.stubs)
        yield held
        events = CounterMetricFamily(
            "metadata_center_ledger_events", "What happened to requests since the start.", labels=["event"]
        )
        for name in ("added", "first_tokens", "done", "expired", "repeated", "forgotten", "repaired"):
            events.add_metric([name.removesuffix("s")], getattr(counts, name))
        yield events
