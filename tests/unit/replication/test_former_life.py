# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What a node doubts that goes on from what lives wrote that are over."""

from __future__ import annotations

from loadstats.ledger import BUCKETS
from replication.former_life import FormerLife
from replication.messages import Push
from replication.paths import VERSION
from tests.unit.replication.raw_peer import Node


def test_what_lives_that_are_there_took_themselves_is_in_no_doubt() -> None:
    node = Node("a@2")
    for origin in ("a@1", "b@2"):
        other = Node(origin)
        other.ledger.add(f"of {origin}", "c", "10.0.0.1", 5, 0.0, 1, "gateway")
        events, _ = other.journal.read(1, 9)
        node.replica.take(Push(VERSION, origin, 1, 1, 0, events), 0.0, 1)
    node.ledger.add("own", "c", "10.0.0.1", 5, 0.0, 1, "gateway")
    node.requests.resume(FormerLife(1.0, clean=False, present=frozenset({"a@2", "b@2"})), 1.0)
    assert {name for bucket in range(BUCKETS) for name in node.requests.doubted(bucket, 1.0)} == {"of a@1"}


def test_counters_begin_anew_only_where_this_life_has_taken_no_calls_yet() -> None:
    node = Node("a@2")
    node.ledger.add("own", "c", "10.0.0.1", 5, 0.0, 1)
    node.requests.resume(FormerLife(1.0, clean=False, present=frozenset({"a@2"})), 1.0)
    assert node.ledger.counts().added == 1
    node.requests.resume(FormerLife(1.0, clean=False), 1.0)
    assert node.ledger.counts().added == 0
