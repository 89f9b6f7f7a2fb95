# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from time import monotonic

from prometheus_client import CollectorRegistry

from replication.link import PeerLink
from replication.messages import Ack
from replication.metrics import ReplicationCollector
from replication.paths import VERSION
from replication.sender import Sender
from runtime.metrics.meter import Meter
from tests.unit.replication.raw_peer import Node, RawPeer

PREFIX = "metadata_center_replication_"


def test_prometheus_sees_each_peer_and_the_node_itself() -> None:
    node, lag = Node("a@1"), Meter()
    sender = Sender(node.journal, lambda: 1.0)
    peer = RawPeer(lambda line, body: None)
    link = PeerLink("10.0.0.2:80", sender, peer.connect, now=monotonic, observe=print, idle=set())
    link.lost_events, link.pulling = 4, 9
    registry = CollectorRegistry()
    registry.register(ReplicationCollector(node.replica, node.journal, lambda: [link], lag))

    def value(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(PREFIX + name, labels)

    def of_peer(name: str) -> float | None:
        return value(name, peer="10.0.0.2:80")

    link.pull_failed("no route")
    link.pull_failed("no route")
    link.unwritten.note("an event", OverflowError(), 0.0)
    node.replica.left_out.add("b@1", 1, "unknown", 0.0)
    node.replica.unanswered.note("no summary", OverflowError(), 0.0)
    node.add("r", now=monotonic() - 10)
    node.add("s", now=monotonic())
    assert of_peer("peer_connected") == 0
    assert of_peer("peer_lag_events") == 2
    assert 10 <= (of_peer("peer_lag_seconds") or 0) < 20
    assert of_peer("peer_pulling_buckets") == 9
    assert of_peer("lost_events_total") == 4
    assert of_peer("failed_pulls_total") == 2
    assert of_peer("unsent_events_total") == 1
    assert value("left_out_events_total") == 1
    assert value("unanswered_calls_total") == 1
    assert value("joined") == 0
    assert value("journal_events") == 2
    assert value("lag_seconds_count") == 0

    sender.poll(monotonic())
    sender.took(Ack(VERSION, "b@1", 2, True), monotonic())
    node.replica.joined = True
    lag.record(200, 3_000_000)
    assert of_peer("peer_connected") == 1
    assert of_peer("peer_lag_events") == 0
    assert of_peer("peer_lag_seconds") == 0
    assert of_peer("sent_events_total") == 2
    assert value("taken_events_total") == 0
    assert value("joined") == 1
    assert value("lag_seconds_count") == 1
    assert value("lag_seconds_sum") == 0.003
    assert registry.get_sample_value("replication_latency_ms_count") == 1
