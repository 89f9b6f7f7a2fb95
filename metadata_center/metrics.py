# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What the node itself reports to Prometheus. Collectors read the parts' plain numbers at each scrape.

They run on the scraping thread, beside the event loop, and keep nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily
from prometheus_client.registry import Collector

from metadata_center import __version__
from runtime.cold_start import ColdStart
from runtime.health import Health
from runtime.logs import Logs
from runtime.metrics.aliases import with_aliases
from runtime.periodic import EmbeddedCelery


class NodeCollector(Collector):
    """The node's parts, its recurring tasks and its logs."""

    def __init__(self, health: Health, cold: ColdStart, celery: EmbeddedCelery, logs: Logs) -> None:
        self._health = health
        self._cold = cold
        self._celery = celery
        self._logs = logs

    def collect(self) -> Iterable[Metric]:
        version = InfoMetricFamily("metadata_center", "The service's version.", value={"version": __version__})
        yield from with_aliases(version)
        yield from with_aliases(
            GaugeMetricFamily("metadata_center_node_ready", "1 where /readyz says 200.", value=self._health.ready())
        )
        yield GaugeMetricFamily(
            "metadata_center_node_cold_seconds",
            "For how long the node may have lacked what was reported before it began; 0 if it lacks nothing.",
            value=self._cold.seconds(),
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
