# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""TokensCounted, refreshes and dropped engines."""

from __future__ import annotations

from itertools import permutations
from zlib import crc32

import pytest

from loadstats.ledger import (
    BUCKETS,
    Added,
    Beat,
    Done,
    Dropped,
    Event,
    FirstToken,
    Ledger,
    Match,
    Mismatch,
    Origin,
    RequestRefreshed,
    TokensCounted,
)
from loadstats.ledger.expiry_queue import ExpiryQueue, Link
from loadstats.ledger.limits import SLICE
from tests.audit import audit

WINDOW = 100
A, B = Origin.of("a@1"), Origin.of("b@1")


class Notes:
    """A journal that only takes down."""

    def __init__(self) -> None:
        self.origin = A
        self.events: list[Event] = []

    def append(self, event: Event, now: float, size: int = 0) -> int:
        self.events.append(event)
        return len(self.events)


def make(*, journal: bool = True) -> tuple[Ledger, list[Event]]:
    ledger = Ledger(request_seconds=WINDOW, tombstone_seconds=5, orphan_seconds=10)
    notes = Notes()
    if journal:
        ledger.journal = notes
    return ledger, notes.events


def age(ledger: Ledger, now: float) -> None:
    while ledger.lapse(now, 1) or ledger.expire(now, 1):
        pass
    audit(ledger)


def merge(into: Ledger, source: Ledger, *, now: float = 0.0, source_now: float = 0.0) -> int:
    """The bucket of request `r`, of which each side says that it has seen nothing."""
    bucket = crc32(b"r") % BUCKETS
    copies = source.replica.copies(bucket, source_now)
    return into.replica.merge(bucket, copies, theirs=lambda *_: False, ours=lambda *_: False, now=now, wall_ns=1)


def tokens(ledger: Ledger) -> int:
    return sum(row.token_num for row in ledger.rows("c"))


def in_flight(ledger: Ledger) -> int:
    return ledger.counts().in_flight


# TokensCounted


def test_the_larger_number_of_tokens_wins_each_for_itself() -> None:
    ledger, events = make()
    ledger.add("r", "c", "10.0.0.1", 5, 0.0, 1)
    assert ledger.tokens("r", 10, 1, 0.0, 1)
    assert ledger.tokens("r", 5, 3, 0.0, 1)
    assert not ledger.tokens("r", 10, 3, 0.0, 1)
    assert tokens(ledger) == 13
    assert events[1:] == [TokensCounted("r", 10, 1), TokensCounted("r", 5, 3)]
    ledger.done("r", 0.0, 1)
    assert not ledger.tokens("r", 100, 100, 0.0, 1)
    assert tokens(ledger) == 0
    audit(ledger)


def test_tokens_may_overtake_the_add_and_the_first_token() -> None:
    ledger, _ = make()
    assert ledger.tokens("r", 10, 1, 0.0, 1)
    assert ledger.tokens("r", 11, 0, 0.0, 1)
    ledger.add("r", "c", "10.0.0.1", 5, 0.0, 1)
    row = ledger.rows("c")[0]
    assert (row.token_num, row.prefill_req_num, row.prompt_length) == (12, 1, 5)
    audit(ledger)


def test_no_tokens_of_an_unknown_request_leave_nothing() -> None:
    ledger, events = make()
    assert not ledger.tokens("r", 0, 0, 0.0, 1)
    assert ledger.find("r") is None
    assert events == []


def test_tokens_in_any_order_end_the_same_and_with_the_same_digests() -> None:
    said: list[Event] = [
        Added("r", "c", "10.0.0.1", 5, "g"),
        TokensCounted("r", 3, 9),
        TokensCounted("r", 7, 1),
        FirstToken("r"),
    ]
    found = set()
    for order in permutations(range(len(said))):
        ledger, _ = make()
        for place in order:
            ledger.replica.apply([said[place]], A, place + 1, 0.0, 1)
        audit(ledger)
        found.add((tokens(ledger), tuple(ledger.replica.digests())))
    assert len(found) == 1
    assert found.pop()[0] == 16


def test_a_copy_carries_tokens_and_so_does_a_stub() -> None:
    for event in ([Added("r", "c", "10.0.0.1", 5)], []):
        some, others = make()[0], make()[0]
        some.replica.apply([*event, TokensCounted("r", 3, 4)], A, 1, 0.0, 1)
        others.replica.apply([Added("r", "c", "10.0.0.1", 5), TokensCounted("r", 1, 6)], A, 1, 0.0, 1)
        assert merge(others, some) == 1
        assert merge(others, some) == 0
        assert tokens(others) == 9
        audit(others)


def test_the_fingerprints_are_those_of_the_protocol() -> None:
    ledger, _ = make()
    origin = Origin.of("10.0.0.1:8080@18a5")
    said: list[tuple[Event, int]] = [
        (Added("r1", "qwen", "10.0.0.7", 1200, "g"), 0x529283D87BC8ED25),
        (FirstToken("r1"), 0x15A25C8E52E14110),
        (TokensCounted("r1", 1200, 37), 0x6AFFB0FD1486F47B),
        (RequestRefreshed("r1", 1_700_000_000_000), 0x0579048AD8E83C7B),
    ]
    for seq, (event, digest) in enumerate(said, 1):
        ledger.replica.apply([event], origin, seq, 0.0, 1)
        assert ledger.replica.digests()[433] == digest


# Refreshes


def test_a_refreshed_request_expires_as_late_as_one_that_began_then() -> None:
    ledger, events = make()
    ledger.add("r", "c", "10.0.0.1", 5, 0.0, 1)
    assert ledger.refresh("r", 60.0, 7_000_000)
    age(ledger, 60 + WINDOW - 1)
    assert in_flight(ledger) == 1
    age(ledger, 60 + WINDOW)
    assert in_flight(ledger) == 0
    assert events[1:] == [RequestRefreshed("r", 7)]


def test_it_tells_which_requests_it_can_not_refresh() -> None:
    ledger, events = make()
    assert not ledger.refresh("unknown", 0.0, 1)
    ledger.tokens("early", 1, 1, 0.0, 1)
    assert not ledger.refresh("early", 0.0, 1)
    ledger.add("r", "c", "10.0.0.1", 5, 0.0, 1)
    ledger.done("r", 0.0, 1)
    assert not ledger.refresh("r", 0.0, 1)
    ledger.add("old", "c", "10.0.0.1", 5, 0.0, 1)
    assert not ledger.refresh("old", WINDOW, 1)
    assert not any(isinstance(event, RequestRefreshed) for event in events)


def test_a_request_that_is_due_and_whose_owner_lives_can_be_refreshed() -> None:
    ledger, _ = make()
    ledger.add("r", "c", "10.0.0.1", 5, 0.0, 1, "g")
    ledger.beat("g", 500, 0.0, 1)
    assert ledger.refresh("r", WINDOW + 5, 1)


def test_refreshes_are_stamped_later_than_any_heard_of() -> None:
    ledger, events = make()
    ledger.add("r", "c", "10.0.0.1", 5, 0.0, 1)
    ledger.replica.apply([RequestRefreshed("r", 5_000)], B, 1, 0.0, 1)
    ledger.refresh("r", 0.0, 4_000_000_000)
    ledger.refresh("r", 0.0, 9_000_000_000)
    assert events[1:] == [RequestRefreshed("r", 5_001), RequestRefreshed("r", 9_000)]


def test_an_older_refresh_is_no_news_and_one_of_an_unknown_request_neither() -> None:
    ledger, _ = make()
    ledger.replica.apply([RequestRefreshed("r", 50)], A, 1, 0.0, 1)
    assert ledger.find("r") is None
    ledger.replica.apply([Added("r", "c", "10.0.0.1", 5), RequestRefreshed("r", 50)], A, 1, 0.0, 1)
    ledger.replica.apply([RequestRefreshed("r", 49)], A, 3, 50.0, 1, 51.0)
    age(ledger, WINDOW)
    assert in_flight(ledger) == 0


def test_a_refresh_that_was_taken_by_a_clock_behind_still_counts_and_one_ahead_shortens_nothing() -> None:
    for stamps in ((9_000, 1_000), (1_000, 9_000)):
        ledger, _ = make()
        ledger.replica.apply([Added("r", "c", "10.0.0.1", 5)], A, 1, 0.0, 1)
        ledger.replica.apply([RequestRefreshed("r", stamps[0])], A, 2, 30.0, 1)
        ledger.replica.apply([RequestRefreshed("r", stamps[1])], B, 1, 60.0, 1)
        ledger.replica.apply([RequestRefreshed("r", 10_000)], B, 2, 60.0, 1, 40.0)
        record = ledger.find("r")
        assert record is not None
        assert record.extras is not None
        assert (record.due_tick, record.extras.refreshed_ms) == (60 + WINDOW, 10_000)


def test_a_copy_with_a_later_phase_and_an_older_refresh_shortens_nothing() -> None:
    some, others = make()[0], make()[0]
    for each in (some, others):
        each.replica.apply([Added("r", "c", "10.0.0.1", 5), RequestRefreshed("r", 1)], A, 1, 0.0, 1)
    some.replica.apply([FirstToken("r")], A, 3, 0.0, 1)
    others.replica.apply([RequestRefreshed("r", 2)], A, 3, 50.0, 1)
    assert merge(others, some, now=50.0, source_now=50.0) == 1
    record = others.find("r")
    assert record is not None
    assert (record.phase, record.due_tick, record.since_tick) == (1, 50 + WINDOW, 0)
    for _ in range(5):
        merge(some, others, now=50.9, source_now=50.0)
        merge(others, some, now=50.9, source_now=50.0)
    assert record.due_tick == 50 + WINDOW


def test_every_event_of_a_late_push_is_as_old_as_it_is() -> None:
    ledger, _ = make()
    events: list[Event] = [Added("r", "c", "10.0.0.1", 5), Added("s", "c", "10.0.0.1", 5), RequestRefreshed("r", 50)]
    ledger.replica.apply(events, A, 1, 1000.0, 1, 60.4, [0, 50, 59])
    due = {record.request_id: record.due_tick for record in ledger.requests.records()}
    assert due == {"r": 1000 - 1 + WINDOW, "s": 1000 - 10 + WINDOW}
    assert {record.request_id: record.since_tick for record in ledger.requests.records()} == {"r": 940, "s": 990}
    audit(ledger)


def test_a_copy_carries_a_refresh_and_the_ages_of_both() -> None:
    some, others = make()[0], make()[0]
    some.replica.apply([Added("r", "c", "10.0.0.1", 5)], A, 1, 0.0, 1)
    some.replica.apply([RequestRefreshed("r", 50)], A, 2, 70.0, 1)
    merge(others, some, now=1000.0, source_now=80.0)
    record = others.find("r")
    assert record is not None
    assert (record.since_tick, record.due_tick) == (1000 - 80, 1000 + WINDOW - 10)
    assert others.replica.digests() == some.replica.digests()
    assert merge(some, others, now=80.0, source_now=1000.0) == 0


def test_a_copy_of_an_orphan_is_as_old_as_there_and_waits_for_its_owner() -> None:
    some, others = make()[0], make()[0]
    some.replica.apply([Added("r", "c", "10.0.0.1", 5, "g"), Beat("g", 10, 1)], A, 1, 0.0, 1)
    age(some, 15.0)
    others.replica.merge_owners(some.replica.owners(15.0), 1000.0)
    merge(others, some, now=1000.0, source_now=15.0)
    record = others.find("r")
    assert record is not None
    assert (record.since_tick, record.due_tick) == (1000 - 15, 1000 - 15 + WINDOW)
    age(others, 1000.0)
    assert others.counts().orphans == 1


def test_a_refresh_and_tokens_stay_where_another_add_stands() -> None:
    ledger, _ = make()
    ledger.replica.apply(
        [Added("r", "c", "10.0.0.1", 5), RequestRefreshed("r", 50), TokensCounted("r", 1, 2)], B, 1, 0.0, 1
    )
    ledger.replica.apply([Added("r", "c", "10.0.0.2", 5)], A, 1, 0.0, 1)
    alone, _ = make()
    alone.replica.apply(
        [Added("r", "c", "10.0.0.2", 5), RequestRefreshed("r", 50), TokensCounted("r", 1, 2)], A, 1, 0.0, 1
    )
    assert ledger.replica.digests() == alone.replica.digests()
    assert tokens(ledger) == 3
    audit(ledger)


# Compare and add


def test_an_add_that_does_not_match_changes_nothing_and_tells_the_row() -> None:
    ledger, events = make()
    ledger.add("r", "c", "10.0.0.1", 5, 0.0, 7)
    with pytest.raises(Mismatch) as mismatch:
        ledger.add("s", "c", "10.0.0.1", 5, 0.0, 8, match=Match(queued_req_num=1, prompt_length=4))
    assert mismatch.value.row == ledger.rows("c")[0]
    assert ledger.add("s", "c", "10.0.0.1", 5, 0.0, 8, match=Match(queued_req_num=1, prompt_length=5))
    assert not ledger.add("s", "c", "10.0.0.1", 5, 0.0, 8, match=Match(queued_req_num=1))
    assert len(events) == 2


def test_an_engine_that_nobody_used_matches_as_idle_and_is_not_opened_by_that() -> None:
    ledger, _ = make()
    with pytest.raises(Mismatch) as mismatch:
        ledger.add("r", "c", "10.0.0.1:80", 5, 0.0, 1, match=Match(prefill_req_num=1))
    assert (mismatch.value.row.ip, mismatch.value.row.port) == ("10.0.0.1", 80)
    assert ledger.clusters() == []
    assert ledger.add("r", "c", "10.0.0.1:80", 5, 0.0, 1, match=Match(0, 0, 0))


# Dropped engines


def test_a_dropped_engine_is_gone_at_once_and_its_requests_soon() -> None:
    ledger, events = make()
    ledger.add("r", "c", "10.0.0.1", 5, 0.0, 1, "g")
    ledger.add("s", "c", "10.0.0.1", 5, 0.0, 1)
    ledger.add("t", "c", "10.0.0.2", 5, 0.0, 1)
    assert ledger.drop("c", "10.0.0.3") is None
    assert ledger.drop("d", "10.0.0.1") is None
    assert ledger.drop("c", "10.0.0.1") == 2
    assert ledger.drop("c", "10.0.0.1") is None
    assert [row.ip for row in ledger.rows("c")] == ["10.0.0.2"]
    audit(ledger)
    ledger.first_token("s", 0.0, 1)
    ledger.tokens("r", 1, 1, 0.0, 1)
    audit(ledger)
    age(ledger, 0.0)
    assert in_flight(ledger) == 1
    ended = {event.request_id for event in events if isinstance(event, Done)}
    assert ended == {"r", "s"}
    assert events[-1] == Dropped("c", "10.0.0.1")
    assert ledger.counts().owners == 0


def test_what_comes_to_a_dropped_engine_later_stays() -> None:
    ledger, _ = make()
    ledger.add("r", "c", "10.0.0.1", 5, 0.0, 1)
    ledger.drop("c", "10.0.0.1")
    ledger.add("s", "c", "10.0.0.1", 7, 0.0, 1)
    ledger.add("r", "c", "10.0.0.1", 5, 0.0, 1)
    age(ledger, 0.0)
    assert [(row.queued_req_num, row.prompt_length) for row in ledger.rows("c")] == [(1, 7)]


def test_clearing_goes_in_slices_and_takes_engines_dropped_meanwhile() -> None:
    ledger, events = make()
    same = [f"{number}" for number in range(SLICE * BUCKETS // 100)]
    for each in same:
        ledger.add(each, "c", f"10.0.0.{len(each) % 2}", 5, 0.0, 1)
    ledger.drop("c", "10.0.0.0")
    steps = 0
    while handled := ledger.lapse(0.0, 1):
        steps += 1
        assert handled <= SLICE + 1
        if steps == BUCKETS // 2:
            ledger.drop("c", "10.0.0.1")
    assert in_flight(ledger) == 0
    assert sum(isinstance(event, Done) for event in events) == len(same)
    assert events[-2:] == [Dropped("c", "10.0.0.0"), Dropped("c", "10.0.0.1")]
    assert steps == BUCKETS // 2 + BUCKETS
    audit(ledger)


def test_a_bucket_full_of_them_is_cleared_in_several_slices() -> None:
    ledger, _ = make()
    bucket = crc32(b"r") % BUCKETS
    ids = (each for each in map(str, range(10**9)) if crc32(each.encode()) % BUCKETS == bucket)
    for _ in range(SLICE + 10):
        ledger.add(next(ids), "c", "e", 5, 0.0, 1)
    ledger.drop("c", "e")
    left = {SLICE + 10}
    while ledger.lapse(0.0, 1):
        left.add(in_flight(ledger))
    assert left == {SLICE + 10, SLICE // 2 + 10, 10, 0}
    audit(ledger)


def test_peers_drop_the_engine_too_unless_it_has_requests_again() -> None:
    ledger, _ = make()
    added, ended, dropped = Added("r", "c", "10.0.0.1", 5), Done("r"), Dropped("c", "10.0.0.1")
    ledger.replica.apply([added, ended, dropped, dropped, Dropped("d", "10.0.0.1")], A, 1, 0.0, 1)
    assert ledger.clusters() == []
    ledger.replica.apply([Added("s", "c", "10.0.0.1", 5), dropped], A, 6, 0.0, 1)
    assert in_flight(ledger) == len(ledger.rows("c")) == 1
    audit(ledger)


def test_a_peer_that_pulls_meanwhile_does_not_get_them() -> None:
    ledger, peer = make()[0], make()[0]
    for each in (ledger, peer):
        each.replica.apply([Added("r", "c", "10.0.0.1", 5)], A, 1, 0.0, 1)
    ledger.drop("c", "10.0.0.1")
    bucket = crc32(b"r") % BUCKETS
    copies = ledger.replica.copies(bucket, 0.0)
    assert [(copy.cluster, copy.phase) for copy in copies] == [("", 0)]
    peer.replica.merge(bucket, copies, theirs=lambda *_: True, ours=lambda *_: True, now=0.0, wall_ns=1)
    assert in_flight(peer) == 0
    ledger.replica.merge(
        bucket, peer.replica.copies(bucket, 0.0), theirs=lambda *_: True, ours=lambda *_: True, now=0.0, wall_ns=1
    )
    assert in_flight(ledger) == 0
    audit(ledger)


# What the journal is told


def test_the_journal_gets_what_took_effect_in_that_order_and_nothing_else() -> None:
    ledger, events = make()
    for _ in range(2):
        ledger.tokens("r", 1, 2, 0.0, 1)
        ledger.add("r", "c", "10.0.0.1:80", 5, 0.0, 1, "g")
        ledger.first_token("r", 0.0, 1)
        ledger.done("r", 0.0, 1)
    ledger.beat("g", 9, 0.0, 3_000_000)
    ledger.expire(1000.0, 1)
    assert events == [
        TokensCounted("r", 1, 2),
        Added("r", "c", "10.0.0.1:80", 5, "g"),
        FirstToken("r"),
        Done("r"),
        Beat("g", 9, 3),
    ]


# The wheel


def test_a_wheel_gives_what_is_due_at_one_tick_alone() -> None:
    wheel: ExpiryQueue[Link] = ExpiryQueue()
    early, late, later = Link(), Link(), Link()
    for link, tick in ((late, 2), (early, 1), (later, 2)):
        wheel.place(link, tick)
    assert wheel.pop_due_at(3) is None
    assert wheel.pop_due_at(2) is late
    assert late.next is None
    assert wheel.pop_due_at(2) is later
    assert wheel.pop_due_at(2) is None
    wheel.place(late, 2)
    assert wheel.pop_due(2) is early
    assert wheel.pop_due(2) is late
    assert wheel.pop_due(2) is None
    assert wheel.pop_due_at(2) is None


def test_links_are_equal_to_themselves_alone() -> None:
    assert Link() != Link()
    assert len({Link(), Link()}) == 2
