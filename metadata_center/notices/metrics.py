# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What the log of notices reports to Prometheus. Reads counts on the scraping thread and keeps nothing."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from runtime.notices.log import NoticeLog


class NoticeCollector(Collector):
    """How often each kind was reported by this node, and how many notices of all nodes it keeps."""

    def __init__(self, log: NoticeLog) -> None:
        self._log = log

    def collect(self) -> Iterator[Metric]:
        reported = CounterMetricFamily("metadata_center_notices", "Events that this node reported.", labels=["kind"])
        for kind, count in self._log.counts().items():
            reported.add_metric([kind], count)
        yield reported
        yield GaugeMetricFamily("metadata_center_notices_kept", "Events of all nodes that are kept.", len(self._log))
