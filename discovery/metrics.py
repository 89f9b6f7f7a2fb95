# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The directory's numbers for Prometheus. Runs on the scraping thread and keeps nothing."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from discovery.directory import Directory
from runtime.metrics.aliases import with_aliases


class DiscoveryCollector(Collector):
    """Reads the directory when scraped. `domain` is the name that is looked up, empty if there is no name."""

    def __init__(self, directory: Directory, domain: str) -> None:
        self._directory = directory
        self._domain = domain

    def collect(self) -> Iterator[Metric]:
        lookups = self._directory.lookups()
        yield GaugeMetricFamily(
            "metadata_center_discovery_peers", "Other nodes known.", value=len(self._directory.peers())
        )
        hosts = GaugeMetricFamily(
            "metadata_center_discovery_hosts",
            "1 for each host in the last answer, this node among them.",
            labels=["domain", "host"],
        )
        for host in lookups.hosts:
            hosts.add_metric([self._domain, str(host)], 1)
        yield from with_aliases(hosts)
        results = CounterMetricFamily("metadata_center_discovery_lookups", "Look-ups.", labels=["result"])
        results.add_metric(["success"], lookups.successes)
        results.add_metric(["failure"], lookups.failures)
        yield results
        if lookups.last_success is not None:
            yield GaugeMetricFamily(
                "metadata_center_discovery_last_success_timestamp_seconds",
                "When a look-up last succeeded.",
                value=lookups.last_success,
            )
        if lookups.last_duration_seconds is not None:
            yield GaugeMetricFamily(
                "metadata_center_discovery_last_duration_seconds",
                "How long the last look-up took.",
                value=lookups.last_duration_seconds,
            )
