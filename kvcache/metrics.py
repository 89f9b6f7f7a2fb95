# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What the index reports to Prometheus. Runs on the scraping thread."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from kvcache.index import CacheIndex

_PREFIX = "metadata_center_kvcache"

_GAUGES = {
    "held_blocks": "Blocks of prompts, each counted for every engine that holds it.",
    "engines": "Engines that hold blocks.",
    "clusters": "Clusters with such engines.",
}
_COUNTERS = {
    "saves": "Prompts saved, by clients and by peers.",
    "queries": "Queries answered.",
    "asked_blocks": "Blocks of the prompts in queries.",
    "hit_blocks": "Those of them that the best engine held.",
    "drops": "Engines and clusters dropped.",
}
_REASONS = {
    "engine_full": "evicted_engine_full",
    "index_full": "evicted_index_full",
    "client_share": "evicted_client_share",
    "expired": "expired",
    "dropped": "dropped",
}


class CacheCollector(Collector):
    """What the index holds, and what happened to it."""

    def __init__(self, index: CacheIndex) -> None:
        self._index = index

    def collect(self) -> Iterator[Metric]:
        counts = self._index.counts()
        yield GaugeMetricFamily(f"{_PREFIX}_blocks", "Blocks of prompts, each counted once.", self._index.blocks())
        for name, text in _GAUGES.items():
            yield GaugeMetricFamily(f"{_PREFIX}_{name}", text, getattr(counts, name))
        for name, text in _COUNTERS.items():
            yield CounterMetricFamily(f"{_PREFIX}_{name}", text, getattr(counts, name))
        removed = CounterMetricFamily(
            f"{_PREFIX}_removed_blocks", "Blocks that engines ceased to hold, by why.", labels=["reason"]
        )
        for reason, name in _REASONS.items():
            removed.add_metric([reason], getattr(counts, name))
        yield removed
