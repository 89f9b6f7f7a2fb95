# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from loadstats.ledger import Done, Origin
from replication.journal import Journal
from replication.messages import MAX_EVENTS, Ack
from replication.paths import VERSION
from replication.sender import (
    BUSY_GATHER_SECONDS,
    BUSY_RATE,
    GATHER_SECONDS,
    LONGEST_WAIT_SECONDS,
    SAVED,
    SIGN_OF_LIFE_SECONDS,
    LinkState,
    Sender,
)


def parts(capacity: int = 10_000, chance: float = 1.0) -> tuple[Journal, Sender]:
    journal = Journal(Origin.of("a@1"), capacity=capacity, spare=0)
    return journal, Sender(journal, lambda: chance)


def ack(watermark: int, origin: str = "b@1", *, joined: bool = True) -> Ack:
    return Ack(VERSION, origin, watermark, joined)


def connected(capacity: int = 10_000, now: float = 100.0) -> tuple[Journal, Sender]:
    journal, sender = parts(capacity)
    assert sender.poll(now) is not None
    sender.took(ack(0), now)
    return journal, sender


def fill(journal: Journal, events: int, now: float = 100.0) -> None:
    for number in range(events):
        journal.append(Done(f"r{journal.latest + 1}"), now + number / 1000)


def test_the_first_push_carries_nothing_and_asks_what_the_peer_has() -> None:
    journal, sender = parts()
    fill(journal, 3)
    push = sender.poll(100.0)
    assert push is not None
    assert (push.origin, push.first, push.oldest, push.events) == ("a@1", 1, 1, [])
    assert sender.state is LinkState.NEW
    assert sender.took(ack(2, joined=False), 100.1) is None
    assert (sender.state, sender.acknowledged, sender.joined, sender.origin) == (LinkState.CONNECTED, 2, False, "b@1")
    push = sender.poll(100.2)
    assert push is not None
    assert (push.first, [event.request_id for event in push.events]) == (3, ["r3"])


def test_a_push_that_is_refused_is_halved_until_the_event_that_is_refused_is_left_out() -> None:
    journal, sender = connected()
    fill(journal, 100)
    bad, sent, now = 38, [], 100.0
    for _ in range(200):
        now += 2.0
        push = sender.poll(now)
        assert push is not None
        if any(getattr(event, "request_id", "") == f"r{bad}" for event in push.events):
            sender.refused("status 400: no", now)
            assert (sender.state, sender.last_error) == (LinkState.LOST, "status 400: no")
            continue
        sent += push.events
        sender.took(ack(push.first + len(push.events) - 1), now)
        if sender.acknowledged == 100:
            break
    assert [event.request_id for event in sent] == [f"r{n}" if n != bad else "-" for n in range(1, 101)]
    assert sender.refused_events == 1
    assert sender.last_error == ""


def test_an_event_that_is_refused_even_as_nothing_is_counted_once() -> None:
    journal, sender = connected()
    fill(journal, 1)
    for now in (102.0, 106.0, 110.0):
        push = sender.poll(now)
        assert push is not None
        assert len(push.events) == 1
        sender.refused("status 400: no", now)
        assert sender.poll(now + 2) is not None  # asks where the peer is
        sender.took(ack(0), now + 2)
    assert sender.refused_events == 1


@pytest.mark.parametrize("watermark", [2**53, 2**64 - 1])
def test_an_ack_of_what_was_never_sent_is_one_of_all(watermark: int) -> None:
    journal, sender = connected()
    fill(journal, 3)
    assert sender.poll(101.0) is not None
    sender.took(ack(watermark), 101.0)
    assert (sender.acknowledged, sender.sent_events, sender.lag_events) == (3, 3, 0)


def test_one_push_is_in_flight_at_a_time() -> None:
    journal, sender = connected()
    fill(journal, 1)
    assert sender.poll(100.5) is not None
    fill(journal, 1)
    assert sender.due(101.0) is None
    assert sender.poll(101.0) is None


def exhaust(journal: Journal, sender: Sender, now: float) -> None:
    """Use up what was saved, in no time."""
    for _ in range(SAVED):
        fill(journal, 1)
        assert sender.poll(now) is not None
        sender.took(ack(journal.latest), now)


def test_what_gathers_behind_a_push_goes_when_that_has_arrived() -> None:
    journal, sender = connected()
    journal.append(Done("r"), 200.0)
    assert sender.due(200.0) == 200.0
    assert sender.poll(200.0) is not None
    fill(journal, 5)
    assert sender.took(ack(1), 200.001) == pytest.approx(0.001)
    assert sender.due(200.001) == 200.001
    push = sender.poll(200.001)
    assert push is not None
    assert (push.first, len(push.events)) == (2, 5)


def test_after_many_pushes_the_next_wait_so_that_events_gather() -> None:
    journal, sender = connected()
    exhaust(journal, sender, 200.0)
    fill(journal, 5)
    assert sender.due(200.001) == pytest.approx(200.0 + GATHER_SECONDS)
    assert sender.poll(200.002) is None
    push = sender.poll(200.0041)
    assert push is not None
    assert len(push.events) == 5
    sender.took(ack(journal.latest), 200.005)
    fill(journal, 1)
    assert sender.due(200.005) == pytest.approx(200.0041 + GATHER_SECONDS)  # and so on


def test_what_a_quiet_journal_did_not_use_is_saved_for_later() -> None:
    journal, sender = connected()
    exhaust(journal, sender, 200.0)
    fill(journal, 1)
    assert sender.poll(200.0 + 2.5 * GATHER_SECONDS) is not None
    sender.took(ack(journal.latest), 200.011)
    fill(journal, 1)
    assert sender.due(200.011) == 200.011


def test_a_very_busy_journal_gathers_for_longer() -> None:
    for events, wait in (
        (BUSY_RATE // 200 - 1, GATHER_SECONDS),
        (BUSY_RATE // 200, BUSY_GATHER_SECONDS),
        (MAX_EVENTS, GATHER_SECONDS),  # a backlog: on with it
    ):
        journal, sender = connected()
        exhaust(journal, sender, 200.0)
        fill(journal, events)
        assert sender.poll(200.005) is not None
        fill(journal, 1)
        sender.took(ack(journal.latest - 1), 200.006)
        assert sender.due(200.006) == pytest.approx(200.005 + wait)


def test_of_a_journal_with_more_than_a_few_events_nothing_is_saved() -> None:
    journal, sender = connected()
    exhaust(journal, sender, 200.0)
    fill(journal, 30)
    assert sender.poll(200.0 + 5 * GATHER_SECONDS) is not None
    fill(journal, 1)
    sender.took(ack(journal.latest - 1), 200.021)
    assert sender.due(200.021) == pytest.approx(200.0 + 6 * GATHER_SECONDS)


def test_a_very_busy_journal_saves_nothing() -> None:
    journal, sender = connected()
    exhaust(journal, sender, 199.99)
    now = 200.0
    for _ in range(SAVED):
        fill(journal, BUSY_RATE // 40)
        assert sender.poll(now) is not None
        sender.took(ack(journal.latest), now + 0.001)
        fill(journal, 1)
        assert sender.due(now + 0.001) == pytest.approx(now + BUSY_GATHER_SECONDS)
        now += BUSY_GATHER_SECONDS + 0.0001


def test_a_push_holds_no_more_than_its_most_and_says_how_old_it_is() -> None:
    journal, sender = connected()
    fill(journal, MAX_EVENTS + 10, now=100.0)
    push = sender.poll(103.5)
    assert push is not None
    assert len(push.events) == MAX_EVENTS
    assert push.age_ms == 3500
    assert sender.took(ack(MAX_EVENTS), 103.6) == pytest.approx(3.6)
    assert sender.lag_events == 10
    assert sender.sent_events == MAX_EVENTS


def test_a_push_says_how_much_later_than_the_first_its_events_were_taken() -> None:
    journal, sender = connected()
    for taken in (100.0, 100.5, 130.0):
        journal.append(Done("r"), taken)
    push = sender.poll(140.0)
    assert push is not None
    assert (push.age_ms, push.later_seconds) == (40_000, [0, 0, 30])


def test_a_push_without_events_says_how_long_the_first_has_waited() -> None:
    journal, sender = parts()
    fill(journal, 1, now=100.0)
    push = sender.poll(103.0)
    assert push is not None
    assert (push.events, push.age_ms) == ([], 3000)


def test_an_idle_peer_hears_a_sign_of_life() -> None:
    _, sender = connected(now=100.0)
    assert sender.due(100.0) == 100.0 + SIGN_OF_LIFE_SECONDS
    push = sender.poll(101.0)
    assert push is not None
    assert push.events == []


def test_failures_wait_ever_longer_up_to_a_cap_with_jitter() -> None:
    for chance, share in ((0.0, 0.5), (1.0, 1.0)):
        _, sender = parts(chance=chance)
        waits = []
        now = 100.0
        for _ in range(8):
            assert sender.poll(now) is not None
            sender.failed("no route", now)
            due = sender.due(now)
            assert due is not None
            waits.append(due - now)
            now = due
        assert waits[0] == pytest.approx(0.05 * share)
        assert waits == sorted(waits)
        assert waits[-1] == pytest.approx(LONGEST_WAIT_SECONDS * share)
        assert (sender.state, sender.failures, sender.last_error) == (LinkState.LOST, 8, "no route")


def test_it_counts_failures_for_ever_without_harm() -> None:
    _, sender = parts()
    for number in range(5000):
        sender.failed("x", float(number))
    due = sender.due(5000.0)
    assert due is not None
    assert due <= 5001.0


def test_a_lost_peer_is_asked_what_it_has_before_it_is_sent_anything() -> None:
    journal, sender = connected()
    fill(journal, 4)
    assert sender.poll(101.0) is not None
    sender.failed("reset", 101.1)
    assert sender.behind
    push = sender.poll(103.0)
    assert push is not None
    assert push.events == []
    sender.took(ack(4), 103.1)  # it had arrived, the answer had not
    assert (sender.state, sender.last_error, sender.failures, sender.lag_events) == (LinkState.CONNECTED, "", 0, 0)
    assert sender.since == 103.1
    assert not sender.behind


def test_a_peer_that_began_anew_gets_everything_that_is_still_here() -> None:
    journal, sender = connected()
    fill(journal, 5)
    sender.poll(101.0)
    sender.took(ack(5), 101.0)
    sender.poll(102.0)
    assert sender.took(ack(0, "b@2"), 102.0) is None
    assert sender.origin == "b@2"
    assert sender.sent_events == 5
    push = sender.poll(103.0)
    assert push is not None
    assert (push.first, len(push.events)) == (1, 5)


def test_a_peer_that_fell_off_the_journal_is_told_where_it_begins_and_left_to_pull() -> None:
    journal, sender = connected(capacity=4)
    fill(journal, 10)
    journal.trim(0)
    push = sender.poll(101.0)
    assert push is not None
    assert (push.first, push.oldest) == (7, 7)
    assert sender.took(ack(0), 101.0) is None
    assert sender.poll(101.0 + GATHER_SECONDS) is None  # not again and again
    assert sender.poll(101.0 + SIGN_OF_LIFE_SECONDS) is not None
    sender.took(ack(9), 102.0)  # pulled meanwhile
    push = sender.poll(103.0)
    assert push is not None
    assert (push.first, len(push.events)) == (10, 1)


def test_a_watermark_ahead_of_the_journal_is_not_believed() -> None:
    journal, sender = connected()
    fill(journal, 2)
    sender.poll(101.0)
    sender.took(ack(10**12), 101.0)
    assert sender.acknowledged == 2
    fill(journal, 1)
    push = sender.poll(102.0)
    assert push is not None
    assert push.first == 3


def test_it_tells_how_far_and_how_long_a_peer_lags() -> None:
    journal, sender = connected()
    assert (sender.lag_events, sender.lag_seconds(150.0)) == (0, 0.0)
    fill(journal, 3, now=140.0)
    assert sender.lag_events == 3
    assert sender.lag_seconds(150.0) == pytest.approx(10.0)
    fill(journal, MAX_EVENTS)
    assert sender.behind


def test_sent_and_acknowledged_agree_after_a_peer_began_anew_however_often() -> None:
    journal, sender = connected()
    fill(journal, 5)
    now = 101.0
    sender.poll(now)
    sender.took(ack(5), now)
    for life in range(2, 5):
        fill(journal, 1)
        for watermark in (0, 2, journal.latest):  # it asks for all, pulls some, and is pushed the rest
            now += 10
            assert sender.poll(now) is not None
            sender.took(ack(watermark, f"b@{life}"), now)
        assert sender.acknowledged == sender.sent_events == journal.latest


def test_a_peer_of_the_old_kind_is_handed_events_once() -> None:
    journal, sender = parts(capacity=4)
    sender.poll(100.0)
    sender.failed("speaks the original's protocol", 100.0, legacy=True)
    assert sender.state is LinkState.LEGACY
    assert sender.take_all() == []
    fill(journal, 6)
    journal.trim(0)
    assert [event.request_id for event in sender.take_all()] == ["r3", "r4", "r5", "r6"]
    assert sender.take_all() == []
    assert (sender.lag_events, sender.sent_events) == (0, 4)


@pytest.mark.parametrize(
    ("announced", "kept"),
    [("https://mc-1.example.com/", "https://mc-1.example.com"), ("javascript:alert(1)", ""), ("", "")],
)
def test_a_peer_says_where_its_console_is_and_only_web_addresses_are_kept(announced: str, kept: str) -> None:
    journal = Journal(Origin.of("a@1"))
    sender = Sender(journal, lambda: 1.0)
    sender.begin()
    assert sender.poll(0.0) is not None
    sender.took(Ack(VERSION, "b@1", 0, True, [], announced), 0.0)
    assert sender.console_url == kept
