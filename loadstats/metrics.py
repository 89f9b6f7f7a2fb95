# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What the ledger reports to Prometheus. Runs on the scraping thread; the ledger is read in slices."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from time import monotonic, time_ns

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

from loadstats.cache import MemoryLoadCache
from loadstats.ledger import SIGNALS, Row, SignalSums
from loadstats.metric_engines import OTHER, MetricEngines, MetricRows
from loadstats.pick.cool_down import rests
from loadstats.waits import Waits
from runtime.metrics.aliases import with_aliases


class EngineSamples:
    """One signal's samples, made one by one: 10,000 kept at once would be work for the garbage collector, and its
    pauses stop every caller. The collector does not track rows."""

    def __init__(self, name: str, member: str, clusters: Mapping[str, MetricRows]) -> None:
        self._name = name
        self._member = member
        self._clusters = clusters

    def __iter__(self) -> Iterator[Sample]:
        for cluster, rows in self._clusters.items():
            for row in rows.own:
                yield Sample(self._name, {"cluster": cluster, "engine": row.engine}, getattr(row, self._member))
            if rows.rest:
                total = sum(getattr(row, self._member) for row in rows.rest)
                yield Sample(self._name, {"cluster": cluster, "engine": OTHER}, total)


class LoadCollector(Collector):
    """The engines' load, and what happened in the ledger.

    `max_engines`: how many engines, and so clusters, have samples of their own. The rest are summed as `other`.
    `stale_seconds`: an engine that holds requests and did not change for so long is stale.
    `cool_down_seconds`: of an engine that failed once.
    `now`, `wall_ns`: return monotonic seconds and wall-clock nanoseconds.
    """

    def __init__(
        self,
        cache: MemoryLoadCache,
        max_engines: int = 5000,
        *,
        stale_seconds: float = 150.0,
        cool_down_seconds: float = 1.0,
        now: Callable[[], float] = monotonic,
        wall_ns: Callable[[], int] = time_ns,
    ) -> None:
        self._ledger = cache.ledger
        self._stale_ns = int(stale_seconds * 1e9)
        self._cool_down_seconds = cool_down_seconds
        self._now = now
        self._wall_ns = wall_ns
        self._engines = MetricEngines(max_engines)

    def collect(self) -> Iterator[Metric]:
        engines = GaugeMetricFamily("metadata_center_cluster_engines", "Engines listed.", labels=["cluster"])
        stale = GaugeMetricFamily(
            "metadata_center_cluster_stale_engines", "Engines with requests and no news of them.", labels=["cluster"]
        )
        before = self._wall_ns() - self._stale_ns
        clusters = self._engines.choose({name: self._ledger.rows(name) for name in self._ledger.clusters()})
        sums = {}
        for cluster, rows in clusters.items():
            engines.add_metric([cluster], len(rows.own) + len(rows.rest))
            stale.add_metric([cluster], _stale(chain(rows.own, rows.rest), before))
            sums[cluster] = SignalSums()
            sums[cluster].add(rows.own)
            sums[cluster].add(rows.rest)
        yield from with_aliases(engines)
        yield stale
        yield self._resting(clusters)
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

    def _resting(self, shown: Mapping[str, MetricRows]) -> Metric:
        """How many engines rest in each cluster; those of clusters that are summed up, in their sum."""
        numbers = dict.fromkeys(shown, 0)
        for cluster in self._ledger.clusters():
            found = rests(self._ledger.loads.failing(cluster), self._cool_down_seconds, self._now())
            name = cluster if cluster in numbers else OTHER
            if found:
                numbers[name] = numbers.get(name, 0) + len(found)
        family = GaugeMetricFamily(
            "metadata_center_cluster_resting_engines",
            "Engines that picks leave out, for they failed.",
            labels=["cluster"],
        )
        for name, number in numbers.items():
            family.add_metric([name], number)
        return family

    def _totals(self) -> Iterator[Metric]:
        counts = self._ledger.counts()
        held = GaugeMetricFamily("metadata_center_ledger_records", "Records held, by state.", labels=["state"])
        held.add_metric(["in_flight"], counts.in_flight)
        held.add_metric(["tombstone"], counts.tombstones)
        held.add_metric(["stub"], counts.stubs)
        yield held
        yield GaugeMetricFamily("metadata_center_ledger_owners", "Gateways known as owners.", counts.owners)
        clients = self._ledger.clients()
        yield GaugeMetricFamily(
            "metadata_center_ledger_clients", "Clients of this node whose reports it holds.", len(clients)
        )
        most = GaugeMetricFamily(
            "metadata_center_ledger_client_most", "The most that one client of this node holds.", labels=["what"]
        )
        most.add_metric(["requests"], max((each.requests for each in clients), default=0))
        most.add_metric(["engines"], max((each.engines.size for each in clients), default=0))
        most.add_metric(["owners"], max((each.owners.size for each in clients), default=0))
        yield most
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
            "failed",
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


def _stale(rows: Iterable[Row], before: int) -> int:
    """Return how many rows hold requests and did not change since `before`, in ns since 1970."""
    return sum(1 for row in rows if row.updated_time <= before and row.queued_req_num)


class WaitCollector(Collector):
    """Reports how many calls wait for a change."""

    def __init__(self, waits: Waits) -> None:
        self._waits = waits

    def collect(self) -> Iterator[Metric]:
        yield GaugeMetricFamily(
            "metadata_center_load_waiting_calls", "Calls that wait for a cluster to change.", self._waits.waiting
        )
