# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What replication reports to Prometheus. Read on the scraping thread; peers are bounded by discovery."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from time import monotonic

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from replication.journal import Journal
from replication.link import PeerLink
from replication.replica import Replica
from replication.sender import LinkState
from runtime.metrics.aliases import with_aliases
from runtime.metrics.meter import Meter, buckets_in_seconds


class ReplicationCollector(Collector):
    """`lag` counts how long pushed events took to be acknowledged."""

    def __init__(self, replica: Replica, journal: Journal, links: Callable[[], Sequence[PeerLink]], lag: Meter) -> None:
        self._replica = replica
        self._journal = journal
        self._links = links
        self._lag = lag

    def collect(self) -> Iterator[Metric]:
        gauges = {
            name: GaugeMetricFamily(f"metadata_center_replication_peer_{name}", text, labels=["peer"])
            for name, text in (
                ("connected", "1 where pushes get through."),
                ("lag_events", "Events that the peer has not acknowledged."),
                ("lag_seconds", "How long the oldest of those has waited."),
                ("pulling_buckets", "Buckets still to come of the pull under way."),
            )
        }
        sent = CounterMetricFamily(
            "metadata_center_replication_sent_events", "Events that the peer has acknowledged.", labels=["peer"]
        )
        lost = CounterMetricFamily(
            "metadata_center_replication_lost_events",
            "Events that a peer of the original's kind did not take.",
            labels=["peer"],
        )
        failed_pulls = CounterMetricFamily(
            "metadata_center_replication_failed_pulls", "Pulls from the peer that failed.", labels=["peer"]
        )
        unsent = CounterMetricFamily(
            "metadata_center_replication_unsent_events",
            "Events that the peer refused by themselves, and pushes with an event that could not be written.",
            labels=["peer"],
        )
        now = monotonic()
        for link in self._links():
            sender, peer = link.sender, [link.name]
            gauges["connected"].add_metric(peer, sender.state in {LinkState.CONNECTED, LinkState.LEGACY})
            gauges["lag_events"].add_metric(peer, sender.lag_events)
            gauges["lag_seconds"].add_metric(peer, sender.lag_seconds(now))
            gauges["pulling_buckets"].add_metric(peer, link.pulling)
            sent.add_metric(peer, sender.sent_events)
            lost.add_metric(peer, link.lost_events)
            failed_pulls.add_metric(peer, link.failed_pulls)
            unsent.add_metric(peer, sender.refused_events + link.unwritten.times)
        yield from gauges.values()
        yield from (sent, lost, failed_pulls, unsent)
        yield GaugeMetricFamily(
            "metadata_center_replication_joined", "1 once this node has caught up.", value=self._replica.joined
        )
        yield GaugeMetricFamily(
            "metadata_center_replication_journal_events", "Events kept for peers.", value=len(self._journal)
        )
        yield CounterMetricFamily(
            "metadata_center_replication_taken_events", "Events taken from peers.", value=self._replica.taken_events
        )
        yield CounterMetricFamily(
            "metadata_center_replication_left_out_events",
            "Events of peers that could not be taken.",
            value=self._replica.left_out.events,
        )
        yield CounterMetricFamily(
            "metadata_center_replication_unanswered_calls",
            "Calls of peers that failed through a fault of this node.",
            value=self._replica.unanswered.times,
        )
        lag = HistogramMetricFamily(
            "metadata_center_replication_lag_seconds",
            "From a client's call to its acknowledgement by a peer, for the first event of each push.",
            labels=[],
        )
        lag.add_metric([], buckets_in_seconds(self._lag), sum_value=self._lag.sum_ns / 1e9)
        yield from with_aliases(lag)
