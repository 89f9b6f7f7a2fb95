# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What the audit trail reports to Prometheus. Reads counts on the scraping thread and keeps nothing."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from edge.audit import Audit
from metadata_center.audit.writer import AuditWriter


class AuditCollector(Collector):
    """Acts by name and outcome, and lines on their way to the table. The names are the program's own, and bounded."""

    def __init__(self, audit: Audit, writer: AuditWriter) -> None:
        self._audit = audit
        self._writer = writer

    def collect(self) -> Iterator[Metric]:
        acts = CounterMetricFamily(
            "metadata_center_audit_acts", "What operators did or tried to do.", labels=["act", "outcome"]
        )
        for (act, outcome), count in self._audit.counts().items():
            acts.add_metric([act, outcome], count)
        yield acts
        yield CounterMetricFamily(
            "metadata_center_audit_lines_lost", "Lines that are in the log and not in the table.", self._writer.lost
        )
        yield GaugeMetricFamily(
            "metadata_center_audit_lines_waiting", "Lines on their way to the table.", self._writer.waiting
        )
