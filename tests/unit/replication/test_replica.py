# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from loadstats.ledger import Added, Done, FirstToken
from metadata_center.errors import InvalidInput
from replication.messages import VERSION, Push, Want
from replication.replica import MAX_ORIGINS, STATE_RECORDS, node_of
from tests.unit.replication.raw_peer import Node


def push(first: int, *events: Added | FirstToken | Done, origin: str = "b@1", oldest: int = 1, age_ms: int = 0) -> Push:
    return Push(VERSION, origin, first, oldest, age_ms, list(events))


def added(request_id: str, ip: str = "10.0.0.1") -> Added:
    return Added(request_id, "c", ip, 5)


def test_it_takes_events_in_and_acknowledges_by_watermark() -> None:
    node = Node("a@1")
    answer = node.replica.take(push(1, added("r"), FirstToken("r")), 0.0, 1)
    assert (answer.origin, answer.watermark, answer.joined) == ("a@1", 2, False)
    node.replica.joined = True
    answer = node.replica.take(push(3, added("s"), Done("r")), 0.0, 1)
    assert (answer.watermark, answer.joined) == (4, True)
    assert node.live() == {"s"}
    assert node.replica.vector() == {"a@1": 0, "b@1": 4}


def test_what_peers_tell_is_not_told_on() -> None:
    node = Node("a@1")
    node.replica.take(push(1, added("r"), FirstToken("r"), Done("r")), 0.0, 1)
    assert node.journal.latest == 0


def test_a_repeated_push_changes_nothing_and_is_not_applied_again() -> None:
    node = Node("a@1")
    message = push(1, added("r"), added("s"))
    node.replica.take(message, 0.0, 1)
    assert node.replica.take(message, 0.0, 1).watermark == 2
    assert node.replica.taken_events == 2
    assert node.replica.take(push(2, added("s"), added("t")), 0.0, 1).watermark == 3
    assert node.replica.taken_events == 3


def test_a_gap_is_seen_and_the_watermark_stays_before_it() -> None:
    node = Node("a@1")
    node.replica.take(push(1, added("r")), 0.0, 1)
    answer = node.replica.take(push(5, added("v"), oldest=5), 0.0, 1)
    assert answer.watermark == 1
    assert node.live() == {"r", "v"}  # applied all the same
    assert node.replica.gaps == {"b"}
    node.replica.take(push(2, oldest=2), 0.0, 1)
    assert node.replica.gaps == set()


def test_events_after_a_hole_that_the_sender_can_still_fill_make_no_gap() -> None:
    node = Node("a@1")
    assert node.replica.take(push(4, added("v")), 0.0, 1).watermark == 0
    assert node.replica.gaps == set()


def test_a_new_life_of_a_peer_counts_from_its_own_beginning() -> None:
    node = Node("a@1")
    node.replica.take(push(1, added("r"), origin="b@1"), 0.0, 1)
    assert node.replica.take(push(1, origin="b@2"), 0.0, 1).watermark == 0
    assert node.replica.vector() == {"a@1": 0, "b@1": 1, "b@2": 0}


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (Push(2, "b@1", 1, 1, 0, []), "version: expected 1, got 2"),
        (push(1, origin="a@1"), "origin: this is ourselves"),
        (push(1, added("r"), added("s", ip="nowhere")), "ip"),
    ],
)
def test_a_wrong_push_is_refused_whole(message: Push, reason: str) -> None:
    node = Node("a@1")
    with pytest.raises(InvalidInput) as caught:
        node.replica.take(message, 0.0, 1)
    assert reason in caught.value.reason
    assert node.live() == set()
    assert "b@1" not in node.replica.vector()


def test_ages_travel() -> None:
    node = Node("a@1", request_seconds=60)
    node.replica.take(push(1, added("old"), age_ms=45_000), 1000.0, 1)
    node.replica.take(push(2, added("new")), 1000.0, 1)
    while node.ledger.expire(1016.0, 1):
        pass
    assert node.live() == {"new"}


def test_an_age_beyond_reason_ends_a_request_at_once_and_no_more() -> None:
    node = Node("a@1")
    node.replica.take(push(1, added("r"), age_ms=2**64 - 1), 1000.0, 1)
    while node.ledger.expire(1000.0, 1):
        pass
    assert node.live() == set()
    assert node.ledger.counts().tombstones == 1


def test_the_summary_holds_watermarks_and_digests() -> None:
    a, b = Node("a@1"), Node("b@1")
    a.add("r")
    assert a.replica.differing(b.replica.summary())
    b.replica.take(push(1, *a.journal.read(1, 9)[0], origin="a@1"), 50.0, 1)
    assert a.replica.differing(b.replica.summary()) == set()
    assert b.replica.summary().vector == {"a@1": 1, "b@1": 0}


def test_a_state_holds_at_least_one_bucket_and_stops_when_it_is_large() -> None:
    node = Node("a@1")
    for number in range(STATE_RECORDS * 3):
        node.add(f"r{number}")
    first = node.replica.state(Want(VERSION, list(range(1024))), 0.0)
    records = sum(len(copies) for _, copies in first.buckets)
    assert STATE_RECORDS <= records < STATE_RECORDS + 50
    assert [bucket for bucket, _ in first.buckets] == list(range(len(first.buckets)))
    assert len(node.replica.state(Want(VERSION, [7]), 0.0).buckets) == 1


def test_a_want_of_another_version_is_refused() -> None:
    with pytest.raises(InvalidInput, match="version: expected 1, got 9"):
        Node("a@1").replica.state(Want(9, [1]), 0.0)


def test_a_state_with_a_wrong_address_is_refused_whole() -> None:
    a, b = Node("a@1"), Node("b@1")
    b.ledger.add("r", "c", "nowhere", 1, 0.0, 1)
    state = b.replica.state(Want(VERSION, list(range(1024))), 0.0)
    with pytest.raises(InvalidInput, match="ip"):
        a.replica.merge(state, {}, 0.0, 1)
    assert a.live() == set()


def test_adopted_watermarks_never_go_back_and_never_touch_our_own() -> None:
    a, b = Node("a@1"), Node("b@1")
    a.add("r")
    a.replica.take(push(1, added("s"), added("t")), 0.0, 1)
    a.replica.gaps.add("b")
    b.replica.take(push(1, added("x"), origin="c@1"), 0.0, 1)
    a.replica.adopt(b.replica.summary())
    assert a.replica.vector() == {"a@1": 1, "b@1": 2, "c@1": 1}
    assert a.replica.gaps == set()


def test_lives_that_are_long_over_are_forgotten_the_oldest_first() -> None:
    node = Node("a@1")
    for epoch in range(MAX_ORIGINS + 10):
        node.replica.take(push(1, origin=f"b@{epoch}"), 0.0, 1)
        node.replica.take(push(1, added(f"r{epoch}"), origin="steady@1"), 0.0, 1)
    vector = node.replica.vector()
    assert len(vector) == MAX_ORIGINS + 1
    assert "b@0" not in vector
    assert "b@265" in vector


def test_the_journal_keeps_what_the_slowest_peer_lacks() -> None:
    node = Node("a@1")
    for number in range(10):
        node.add(f"r{number}")
    node.replica.trim([10, 4, 7])
    assert node.journal.oldest == 5
    node.replica.trim([])
    assert node.journal.oldest == 11


def test_a_node_is_the_part_before_the_epoch() -> None:
    assert node_of("10.0.0.1:80@17f") == "10.0.0.1:80"
