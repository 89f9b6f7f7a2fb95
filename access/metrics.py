# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Metrics of keys. Reads plain numbers at each scrape, on the scraping thread."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from access.key_ring import KeyRing
from access.revocations import Revocations
from access.source import SourceWatch


class KeysCollector(Collector):
    """The keys of each source, and whether each source can be read."""

    def __init__(self, ring: KeyRing, watches: Mapping[str, SourceWatch], revocations: Revocations) -> None:
        self._ring = ring
        self._watches = watches
        self._revocations = revocations

    def collect(self) -> Iterable[Metric]:
        keys = GaugeMetricFamily("metadata_center_keys", "Keys known, expired ones included.", labels=["source"])
        read = GaugeMetricFamily(
            "metadata_center_keys_source_ok", "1 where the source's keys are up to date.", labels=["source"]
        )
        for name, watch in self._watches.items():
            keys.add_metric([name], len(self._ring.grants(name)))
            read.add_metric([name], not watch.problem)
        yield keys
        yield read
        yield CounterMetricFamily(
            "metadata_center_keys_ended",
            "Sockets and waiting calls ended because their key was revoked or expired.",
            value=self._revocations.ended,
        )
