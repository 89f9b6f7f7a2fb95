# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What the threads of pages report to Prometheus. Reads plain counters on the scraping thread and keeps nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from edge.page_threads import PageThreads


class PagesCollector(Collector):
    """Pages by how they fared. `kinds` names the threads."""

    def __init__(self, kinds: Mapping[str, PageThreads]) -> None:
        self._kinds = kinds

    def collect(self) -> Iterator[Metric]:
        working = GaugeMetricFamily(
            "metadata_center_pages_working", "Pages that a thread works on, by kind.", labels=["kind"]
        )
        waiting = GaugeMetricFamily(
            "metadata_center_pages_waiting", "Pages that wait for a thread, by kind.", labels=["kind"]
        )
        refused = CounterMetricFamily(
            "metadata_center_pages_refused", "Pages answered 503, for too many waited.", labels=["kind"]
        )
        dropped = CounterMetricFamily(
            "metadata_center_pages_dropped", "Pages whose client left before their turn.", labels=["kind"]
        )
        for kind, threads in self._kinds.items():
            working.add_metric([kind], threads.working)
            waiting.add_metric([kind], threads.waiting)
            refused.add_metric([kind], threads.refused)
            dropped.add_metric([kind], threads.dropped)
        yield from (working, waiting, refused, dropped)
