# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What the node itself tells Prometheus. Collectors read the parts' plain numbers when somebody scrapes.

They run on the scraping thread, beside the event loop, and keep nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from prometheus_client import Metric
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
)
from prometheus_client.registry import Collector

from edge.lanes import LaneState
from metadata_center import __version__
from runtime.health import Health
from runtime.logs import Logs
from runtime.metrics.aliases import with_aliases
from runtime.metrics.meter import Meter, buckets_in_seconds
from runtime.periodic import EmbeddedCelery

_NS = 1e9


class EdgeCollector(Collector):
    """Requests by route, method and status, and how long they took."""

    def __init__(self, lanes: LaneState) -> None:
        self._dispatcher = lanes.dispatcher
        self._server = lanes.server_state

    def collect(self) -> Iterator[Metric]:
        answers = CounterMetricFamily(
            "metadata_center_http_requests", "Requests answered.", labels=["route", "method", "status"]
        )
        durations = HistogramMetricFamily(
            "metadata_center_http_request_duration_seconds",
            "From a request's complete head to its written answer.",
            labels=["route", "method"],
        )
        for (route, method), meter in self._meters().items():
            for status, count in meter.statuses.items():
                answers.add_metric([route, method, str(status)], count)
            durations.add_metric([route, method], buckets_in_seconds(meter), sum_value=meter.sum_ns / _NS)
        yield from with_aliases(answers)
        yield from with_aliases(durations)
        domains = CounterMetricFamily(
            "metadata_center_domain_requests", "Requests by their `domain` query parameter.", labels=["domain"]
        )
        for domain, count in self._dispatcher.domains.items():
            domains.add_metric([domain], count)
        yield from with_aliases(domains)
        yield GaugeMetricFamily(
            "metadata_center_connections", "Open connections of clients.", value=len(self._server.connections)
        )
        yield GaugeMetricFamily(
            "metadata_center_page_tasks", "Requests that Django works on.", value=len(self._server.tasks)
        )

    def _meters(self) -> dict[tuple[str, str], Meter]:
        """Copies by route and method: a path of the table may have been served by Django too."""
        meters = {(route.path, route.method): route.meter.copy() for route in self._dispatcher.table}
        for method, path, meter in self._dispatcher.pages.items():
            meters.setdefault((path, method), Meter()).add(meter)
        return meters


class NodeCollector(Collector):
    """The node's parts, its recurring tasks and its logs."""

    def __init__(self, health: Health, celery: EmbeddedCelery, logs: Logs) -> None:
        self._health = health
        self._celery = celery
        self._logs = logs

    def collect(self) -> Iterable[Metric]:
        version = InfoMetricFamily("metadata_center", "The service's version.", value={"version": __version__})
        yield from with_aliases(version)
        yield from with_aliases(
            GaugeMetricFamily("metadata_center_node_ready", "1 where /readyz says 200.", value=self._health.ready())
        )
        parts = GaugeMetricFamily("metadata_center_part_alive", "1 where the part is ok.", labels=["part"])
        for name, alive in self._health.alive().items():
            parts.add_metric([name], alive)
        yield parts
        yield from self._tasks()
        yield CounterMetricFamily(
            "metadata_center_log_lines_dropped", "Lines lost to an output that stood still.", value=self._logs.dropped
        )

    def _tasks(self) -> Iterator[Metric]:
        runs = CounterMetricFamily("metadata_center_task_runs", "Runs that ended.", labels=["task"])
        failures = CounterMetricFamily("metadata_center_task_failures", "Runs that raised.", labels=["task"])
        skipped = CounterMetricFamily(
            "metadata_center_task_skipped", "Runs left out: the one before still ran.", labels=["task"]
        )
        duration = GaugeMetricFamily(
            "metadata_center_task_last_duration_seconds", "How long the last run took.", labels=["task"]
        )
        for name, run in self._celery.last_runs.items():
            runs.add_metric([name], run.runs)
            failures.add_metric([name], run.failures)
            skipped.add_metric([name], run.skipped)
            if run.last_duration is not None:
                duration.add_metric([name], run.last_duration)
        yield from (runs, failures, skipped, duration)
