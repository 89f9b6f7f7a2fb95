# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from msgspec import ValidationError
from msgspec.msgpack import decode, encode
from msgspec.structs import replace

from edge.errors import InvalidInput
from loadstats.ledger import Added, Done, FirstToken
from replication.buckets import Want
from replication.entities import Summary
from replication.entities.requests import ReplicatedRequests
from replication.features import NOTHING
from replication.messages import Ack, Push
from replication.paths import VERSION
from replication.replica import node_of
from replication.sender import Sender
from replication.watermarks import ENOUGH, MOST
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


@pytest.mark.parametrize("seen", [0, 1, 7])
@pytest.mark.parametrize("missing", [1, 2, 3, 100])
def test_a_hole_of_any_size_holds_the_watermark_until_it_is_filled(seen: int, missing: int) -> None:
    node = Node("a@1")
    requests = [added(f"r{number}") for number in range(seen + missing + 2)]
    if seen:
        node.replica.take(push(1, *requests[:seen]), 0.0, 1)
    ahead = push(seen + missing + 1, *requests[seen + missing :])
    for _ in range(2):
        answer = node.replica.take(ahead, 0.0, 1)
        assert answer.watermark == node.replica.vector()["b@1"] == seen
    assert node.replica.gaps == set(), "the sender still has what is missing"
    answer = node.replica.take(push(seen + 1, *requests[seen : seen + missing]), 0.0, 1)
    assert answer.watermark == seen + missing
    assert node.replica.take(ahead, 0.0, 1).watermark == seen + missing + 2
    assert len(node.live()) == seen + missing + 2


@pytest.mark.parametrize("seen", [0, 1, 7])
@pytest.mark.parametrize("missing", [0, 1, 2, 100])
@pytest.mark.parametrize("news", [0, 1, 3])
def test_a_gap_of_any_size_is_seen(seen: int, missing: int, news: int) -> None:
    """The sender's oldest event is the one after those that are missing; whether it sends any now makes no odds."""
    node = Node("a@1")
    if seen:
        node.replica.take(push(1, *(added(f"r{number}") for number in range(seen))), 0.0, 1)
    first = seen + missing + 1
    answer = node.replica.take(push(first, *(added(f"s{number}") for number in range(news)), oldest=first), 0.0, 1)
    assert node.replica.gaps == ({"b"} if missing else set())
    assert answer.watermark == (seen if missing else seen + news)


def test_a_push_that_begins_before_what_is_seen_and_ends_behind_it_is_taken_from_there() -> None:
    node = Node("a@1")
    requests = [added(f"r{number}") for number in range(9)]
    for first, last in ((1, 3), (2, 4), (4, 5), (5, 5), (1, 6), (7, 7), (6, 9), (3, 8)):
        before = node.replica.vector().get("b@1", 0)
        node.replica.take(push(first, *requests[first - 1 : last]), 0.0, 1)
        assert node.replica.vector()["b@1"] == max(before, last)
    assert node.replica.taken_events == 9
    assert len(node.live()) == 9


def test_engines_are_taken_by_their_names() -> None:
    node = Node("a@1")
    node.replica.take(push(1, added("r", "10.0.0.1:8000/3"), added("s", "[::1]:80")), 0.0, 1)
    assert node.live() == {"r", "s"}
    for bad in ("10.0.0.1:080", "[::1]", "engine:80", "10.0.0.1/x", "engine"):
        before = node.replica.vector()["b@1"]
        assert node.replica.take(push(before + 1, added("t", bad)), 0.0, 1).watermark == before + 1
        assert node.replica.left_out.latest[-1].reason.startswith("ip: expected")
    assert node.live() == {"r", "s"}


def test_each_event_of_a_late_push_is_as_old_as_it_is() -> None:
    node = Node("a@1")
    node.replica.take(push(1, added("r")), 100.0, 1)
    late = Push(VERSION, "b@1", 1, 1, 50_000, [added("r"), added("s"), added("t")], [0, 10, 45])
    node.replica.take(late, 100.0, 1)
    assert {record.request_id: record.since_tick for record in node.ledger.requests.records()} == {
        "r": 100,
        "s": 60,
        "t": 95,
    }
    with pytest.raises(InvalidInput, match="later_seconds: expected one for each event, or none"):
        node.replica.take(Push(VERSION, "b@1", 4, 1, 0, [added("v"), added("w")], [1]), 100.0, 1)


def test_tombstones_stay_while_a_peer_is_silent_or_has_more_to_tell() -> None:
    node = Node("a@1")
    sender = Sender(node.journal, lambda: 0.0)
    sender.poll(100.0)
    sender.took(Ack(VERSION, "b@1", 0, joined=True), 100.0)
    window = node.ledger.replica.tombstone_seconds

    def holds(now: float) -> bool:
        node.replica.hold([sender], now)
        return node.ledger.replica.holding

    node.replica.take(push(1), 100.0, 1)
    assert not holds(100.0)
    node.replica.take(push(1, added("r"), age_ms=20_000), 101.0, 1)
    node.replica.take(push(2, age_ms=20_000), 102.0, 1)
    assert holds(102.0)
    node.replica.take(push(2), 102.0, 1)
    assert holds(102.0 + window - 1)
    node.replica.take(push(2), 102.0 + window, 1)
    assert holds(102.0 + window)  # for as long again after it was silent
    for second in range(2 * window):
        node.replica.take(push(2), 103.0 + window + second, 1)
    assert not holds(103.0 + window + second)


def test_a_peer_that_was_never_heard_is_silent_on_a_host_that_has_just_begun_too() -> None:
    for now in (0.0, 0.5, 1e6):
        node = Node("a@1")
        sender = Sender(node.journal, lambda: 0.0)
        sender.poll(now)
        sender.took(Ack(VERSION, "b@1", 0, joined=True), now)
        node.replica.hold([sender], now)
        assert node.ledger.replica.holding
        node.replica.take(push(1), now, 1)
        node.replica.hold([sender], now + node.ledger.replica.tombstone_seconds - 1)
        assert node.ledger.replica.holding


def test_a_summary_of_impossible_heartbeats_is_no_summary() -> None:
    node = Node("a@1")
    node.ledger.beat("g", 86_400, 0.0, 1)
    told = node.replica.summary(0.0)
    assert decode(encode(told), type=Summary) == told
    assert told.owners == {"g": (1, 86_401)}
    for heard in ((2**53 + 1, 1), (1, 86_402), (0, 1), (1, -(2**31) - 1)):
        with pytest.raises(ValidationError):
            decode(encode(replace(told, owners={"g": heard})), type=Summary)


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
    ],
)
def test_a_wrong_push_is_refused_whole(message: Push, reason: str) -> None:
    node = Node("a@1")
    with pytest.raises(InvalidInput) as caught:
        node.replica.take(message, 0.0, 1)
    assert reason in caught.value.reason
    assert node.live() == set()
    assert "b@1" not in node.replica.vector()


def test_a_record_that_was_left_out_is_not_taken_for_one_that_is_over() -> None:
    a, b, c = Node("a@1"), Node("b@1"), Node("c@1")
    a.add("r")
    a.add("s")
    events = a.journal.read(1, 9)[0]
    c.replica.take(push(1, *events, origin="a@1"), 0.0, 1)
    b.replica.take(push(1, NOTHING, events[1], origin="a@1"), 0.0, 1, {0: "of a later release"})
    assert b.replica.vector()["a@1"] == 2
    assert b.live() == {"s"}

    def repair(now: float) -> None:
        summary = b.replica.summary(now)
        state = b.replica.state("requests", Want(VERSION, list(range(1024))), now)
        list(c.replica.merge(c.requests, state, summary.vector, now, 1))

    repair(0.0)
    assert c.live() == {"r", "s"}
    assert b.replica.summary(660.0).vector["a@1"] == 2  # what was added so long ago is over


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
    assert a.requests.differing(b.replica.summary(0.0))
    b.replica.take(push(1, *a.journal.read(1, 9)[0], origin="a@1"), 50.0, 1)
    assert a.requests.differing(b.replica.summary(0.0)) == set()
    assert b.replica.summary(0.0).vector == {"a@1": 1, "b@1": 0}


def test_a_state_holds_at_least_one_bucket_and_stops_when_it_is_large() -> None:
    node = Node("a@1")
    for number in range(ReplicatedRequests.answer_size * 3):
        node.add(f"r{number}")
    first = node.replica.state("requests", Want(VERSION, list(range(1024))), 0.0)
    records = sum(len(copies) for _, copies in first.buckets)
    assert ReplicatedRequests.answer_size <= records < ReplicatedRequests.answer_size + 50
    assert [bucket for bucket, _ in first.buckets] == list(range(len(first.buckets)))
    assert len(node.replica.state("requests", Want(VERSION, [7]), 0.0).buckets) == 1


def test_a_want_of_another_version_is_refused() -> None:
    with pytest.raises(InvalidInput, match="version: expected 1, got 9"):
        Node("a@1").replica.state("requests", Want(9, [1]), 0.0)


def test_a_state_with_a_wrong_address_is_refused_whole() -> None:
    a, b = Node("a@1"), Node("b@1")
    b.ledger.add("r", "c", "nowhere", 1, 0.0, 1)
    state = b.replica.state("requests", Want(VERSION, list(range(1024))), 0.0)
    with pytest.raises(InvalidInput, match="ip"):
        list(a.replica.merge(a.requests, state, {}, 0.0, 1))
    assert a.live() == set()


def test_adopted_watermarks_never_go_back_and_never_touch_our_own() -> None:
    a, b = Node("a@1"), Node("b@1")
    a.add("r")
    a.replica.take(push(1, added("s"), added("t")), 0.0, 1)
    a.replica.gaps.add("b")
    b.replica.take(push(1, added("x"), origin="c@1"), 0.0, 1)
    a.replica.adopt(b.replica.summary(0.0), "b")
    assert a.replica.vector() == {"a@1": 1, "b@1": 2, "c@1": 1}
    assert a.replica.gaps == set()


def test_lives_that_are_long_over_are_forgotten_the_oldest_first() -> None:
    node = Node("a@1")
    lifetime = node.replica.entities[0].lifetime_seconds
    node.replica.hold((), 0.0)
    for epoch in range(ENOUGH):
        node.replica.take(push(1, origin=f"b@{epoch}"), 0.0, 1)
    node.replica.hold((), lifetime + 1)
    for epoch in range(10):
        node.replica.take(push(1, origin=f"c@{epoch}"), lifetime + 1, 1)
    vector = node.replica.vector()
    assert len(vector) == ENOUGH + 1
    assert "b@9" not in vector
    assert {"b@10", "c@0", "c@9"} <= set(vector)


def test_a_life_is_not_forgotten_while_it_was_not_still_for_long() -> None:
    node = Node("a@1")
    node.replica.hold((), 0.0)
    for epoch in range(ENOUGH + 10):
        node.replica.take(push(1, origin=f"b@{epoch}"), 0.0, 1)
    node.replica.hold((), node.replica.entities[0].lifetime_seconds)
    node.replica.take(push(1, origin="c@1"), 0.0, 1)
    assert len(node.replica.vector()) == ENOUGH + 12


def test_a_life_is_not_forgotten_while_a_record_is_here_that_it_reported() -> None:
    """However long a living gateway protects the request: its copies would look new without the watermark."""
    node = Node("a@1")
    node.replica.hold((), 0.0)
    node.replica.take(push(1, added("long"), origin="long@1"), 0.0, 1)
    node.replica.take(push(1, added("short"), Done("short"), origin="short@1"), 0.0, 1)
    later = node.replica.entities[0].lifetime_seconds + 1
    node.replica.hold((), later)
    for epoch in range(ENOUGH):
        node.replica.take(push(1, origin=f"b@{epoch}"), later, 1)
    assert "long@1" in node.replica.vector()
    assert "short@1" in node.replica.vector()  # a tombstone has it
    for now in (later, 2 * later):  # it ends, and what is remembered of it goes
        while node.ledger.expire(now, 1):
            pass
    node.replica.take(push(1, origin="c@1"), later, 1)
    node.replica.take(push(1, origin="c@2"), later, 1)
    assert {"long@1", "short@1"}.isdisjoint(node.replica.vector())


def test_more_lives_than_a_message_holds_are_forgotten_whatever_they_reported() -> None:
    node = Node("a@1")
    for epoch in range(MOST + 10):
        node.replica.take(push(1, added(f"r{epoch}"), origin=f"b@{epoch}"), 0.0, 1)
    vector = node.replica.vector()
    assert len(vector) == MOST + 1
    assert "b@9" not in vector


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
