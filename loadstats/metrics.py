# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What the ledger reports to Prometheus. Runs on the scraping thread; the ledger is read in slices."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

from loadstats.cache import MemoryLoadCache
from loadstats.ledger import SIGNALS, Row, SignalSums
from loadstats.waits import Waits
from runtime.metrics.aliases import with_aliases


class EngineSamples:
    """One signal's samples, made one by one: 10,000 kept at once would be work for the garbage collector, and its
    pauses stop every caller. The collector does not track rows."""

    def __init__(self, name: str, member: str, clusters: Mapping[str, Sequence[Row]]) -> None:
        self._name = name
        self._member = member
        self._clusters = clusters

    def __iter__(self) -> Iterator[Sample]:
        for cluster, rows in self._clusters.items():
            for row in rows:
                yield Sample(self._name, {"cluster": cluster, "engine": row.engine}, getattr(row, self._member))


class LoadCollector(Collector):
    """Every engine's load, and what happened in the ledger."""

    def __init__(self, cache: MemoryLoadCache) -> None:
        self._ledger = cache.ledger

    def collect(self) -> Iterator[Metric]:
        engines = GaugeMetricFamily("metadata_center_cluster_engines", "Engines listed.", labels=["cluster"])
        clusters = {cluster: self._ledger.rows(cluster) for cluster in self._ledger.clusters()}
        sums = {}
        for cluster, rows in clusters.items():
            engines.add_metric([cluster], len(rows))
            sums[cluster] = SignalSums()
            sums[cluster].add(rows)
        yield from with_aliases(engines)
        for name, signal in SIGNALS.items():
            if signal.metric.per_engine:
                family = Metric(f"metadata_center_engine_{signal.metric.name}", signal.metric.help, "gauge")
                family.samples = EngineSamples(family.name, name, clusters)  # type: ignore[assignment] # only iterated
            else:
                family = GaugeMetricFamily(
                    f"metadata_center_cluster_{signal.metric.name}", signal.metric.help, labels=["cluster"]
                )
                for cluster in clusters:
                    family.add_metric([cluster], sums[cluster].named()[name])
            yield from with_aliases(family)
        yield from self._totals()

    def _totals(self) -> Iterator[Metric]:
        counts = self._ledger.counts()
        held = GaugeMetricFamily("metadata_center_ledger_records", "Records held, by state.", labels=["state"])
        held.add_metric(["in_flight"], counts.in_flight)
        held.add_metric(["tombstone"], counts.tombstones)
        held.add_metric(["stub"], counts.stubs)
        yield held
        yield GaugeMetricFamily("metadata_center_ledger_owners", "Gateways known as owners.", counts.owners)
        yield CounterMetricFamily(
            "metadata_center_ledger_superseded_incarnations",
            "Incarnations of gateways that gave way to another one.",
            counts.superseded,
        )
        events = CounterMetricFamily(
            "metadata_center_ledger_events", "What happened to requests since the start.", labels=["event"]
        )
        for name in (
            "added",
            "first_tokens",
            "done",
            "retried",
            "expired",
            "released",
            "repeated",
            "forgotten",
            "repaired",
        ):
            events.add_metric([name.removesuffix("s")], getattr(counts, name))
        yield events
        ended = CounterMetricFamily(
            "metadata_center_ledger_ended", "Requests that ended since the start, by cause.", labels=["cause"]
        )
        for cause, number in counts.ended().items():
            ended.add_metric([cause], number)
        yield ended


class WaitCollector(Collector):
    """Reports how many calls wait for a change."""

    def __init__(self, waits: Waits) -> None:
        self._waits = waits

    def collect(self) -> Iterator[Metric]:
        yield GaugeMetricFamily(
            "metadata_center_load_waiting_calls", "Calls that wait for a cluster to change.", self._waits.waiting
        )
