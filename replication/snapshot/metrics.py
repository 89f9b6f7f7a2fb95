# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What the snapshots report to Prometheus. Read on the scraping thread."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from replication.snapshot.keeper import SnapshotKeeper


class SnapshotCollector(Collector):
    """Reads a keeper."""

    def __init__(self, keeper: SnapshotKeeper) -> None:
        self._keeper = keeper

    def collect(self) -> Iterator[Metric]:
        keeper = self._keeper
        for name, text, value in (
            (
                "age_seconds",
                "How old the node's snapshot is; before the first one, how old this life is.",
                keeper.age_seconds(),
            ),
            ("bytes", "How much the snapshot holds.", keeper.snapshot_bytes),
            ("tail_bytes", "How much was reported since, in the tail.", keeper.tail_bytes),
            ("write_seconds", "How long the last one took, rests included.", keeper.took_seconds),
            ("write_busy_seconds", "How much of the event loop's time the last one took.", keeper.busy_seconds),
        ):
            yield GaugeMetricFamily(f"metadata_center_snapshot_{name}", text, value=value)
        yield CounterMetricFamily(
            "metadata_center_snapshot_failures",
            "Writes of the snapshot or its tail that failed.",
            value=keeper.failures,
        )
