# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Gateways that own requests: alive, silent, back again, known here or there."""

from __future__ import annotations

import pytest

from loadstats.ledger import Added, Beat, Ledger, LedgerFull, Origin, Phase
from loadstats.ledger.limits import SLICE
from tests.audit import audit

WINDOW, GRACE = 100, 10
MS = 1_000_000


def make(**options: float) -> Ledger:
    return Ledger(request_seconds=WINDOW, tombstone_seconds=5, orphan_seconds=GRACE, **options)


def age(ledger: Ledger, now: float) -> None:
    while ledger.lapse(now, 1) or ledger.expire(now, 1):
        pass
    audit(ledger)


def add(ledger: Ledger, request_id: str = "r", now: float = 0.0, owner: str = "g") -> None:
    ledger.add(request_id, "c", "10.0.0.1", 5, now, 1, owner)


def load(ledger: Ledger) -> tuple[int, int]:
    """Requests, and those of them that are orphaned."""
    rows = ledger.rows("c")
    return sum(row.queued_req_num for row in rows), sum(row.orphaned_req_num for row in rows)


def test_requests_of_an_owner_that_lives_do_not_expire() -> None:
    ledger = make()
    add(ledger)
    add(ledger, "other", owner="")
    for now in range(0, 5 * WINDOW, 10):
        ledger.beat("g", 15, now, now * MS)
        age(ledger, now)
    assert load(ledger) == (1, 0)
    assert ledger.find("r") is not None
    assert ledger.counts().expired == 1


def test_requests_of_a_silent_owner_count_apart_until_the_grace_is_over() -> None:
    ledger = make()
    add(ledger)
    ledger.beat("g", 20, 0.0, 1)
    for now, expected in ((20, (1, 0)), (21, (1, 1)), (21 + GRACE - 1, (1, 1)), (21 + GRACE, (0, 0))):
        age(ledger, now)
        assert load(ledger) == expected, now
    counts = ledger.counts()
    assert (counts.released, counts.expired, counts.orphans) == (1, 0, 0)


def test_a_refresh_does_not_keep_an_orphan() -> None:
    ledger = make()
    add(ledger)
    ledger.beat("g", 20, 0.0, 1)
    age(ledger, 25.0)
    assert ledger.refresh("r", 26.0, 1)
    age(ledger, 25.0 + GRACE)
    assert load(ledger) == (0, 0)


def test_a_heartbeat_takes_orphans_back() -> None:
    ledger = make()
    add(ledger)
    ledger.beat("g", 20, 0.0, 1)
    age(ledger, 25.0)
    assert load(ledger) == (1, 1)
    ledger.beat("g", 200, 26.0, 2 * MS)
    age(ledger, 26.0)
    assert load(ledger) == (1, 0)
    age(ledger, 200.0)
    assert load(ledger) == (1, 0)
    assert ledger.counts().released == 0


def test_a_request_added_for_a_silent_owner_is_an_orphan_from_the_start() -> None:
    ledger = make()
    add(ledger)
    ledger.beat("g", 20, 0.0, 1)
    age(ledger, 25.0)
    add(ledger, "late", now=30.0)
    assert load(ledger) == (2, 2)
    age(ledger, 30.0 + GRACE)
    assert load(ledger) == (0, 0)


def test_an_owner_that_never_sent_a_heartbeat_changes_nothing() -> None:
    ledger = make()
    add(ledger)
    age(ledger, WINDOW - 1)
    assert load(ledger) == (1, 0)
    assert ledger.replica.owners(WINDOW - 1) == {}
    age(ledger, WINDOW)
    assert load(ledger) == (0, 0)
    assert ledger.counts().owners == 0


def test_an_owner_that_never_sent_a_heartbeat_is_forgotten_with_its_last_request() -> None:
    ledger = make()
    add(ledger)
    (owner,) = ledger.requests.owners()
    ledger.done("r", 1.0, 1)
    assert ledger.counts().owners == 0
    assert list(owner.requests) == [], "they point at each other, and nobody else would free them"


def test_a_silent_owner_is_remembered_for_as_long_as_a_request_of_its_may_come_late() -> None:
    ledger = make()
    ledger.beat("g", 20, 0.0, 1)
    ledger.beat("h", 20, 0.0, 1)
    age(ledger, 21.0)
    age(ledger, 21.0 + WINDOW - 1)
    add(ledger, now=21.0 + WINDOW - 1)
    assert load(ledger) == (1, 1)
    age(ledger, 21.0 + WINDOW)
    assert [owner.name for owner in ledger.requests.owners()] == ["g"]  # it has a request
    age(ledger, 21.0 + WINDOW + GRACE)
    assert ledger.counts().owners == 0
    add(ledger, "later", now=21.0 + WINDOW + GRACE)
    assert load(ledger) == (1, 0)


def test_a_heartbeat_holds_for_all_of_its_seconds() -> None:
    ledger = make()
    add(ledger, now=10.9)
    ledger.beat("g", 1, 10.9, 1)
    age(ledger, 11.8)
    assert load(ledger) == (1, 0)
    age(ledger, 12.0)
    assert load(ledger) == (1, 1)


def test_the_last_heartbeat_may_be_shorter_than_the_one_before() -> None:
    ledger = make()
    add(ledger)
    ledger.beat("g", 1000, 0.0, 1)
    ledger.beat("g", 1, 0.0, 1)
    age(ledger, 2.0)
    assert load(ledger) == (1, 1)


def test_requests_that_fall_due_as_their_owner_lapses_get_its_grace() -> None:
    ledger = make()
    for number in range(3 * SLICE):
        add(ledger, f"r{number}")
    ledger.beat("g", WINDOW - 1, 0.0, 1)
    ledger.lapse(WINDOW, 1)  # one slice: the other requests have not been counted as orphans yet
    while ledger.expire(WINDOW, 1):
        pass
    assert load(ledger)[0] == 3 * SLICE
    age(ledger, WINDOW)
    assert load(ledger) == (3 * SLICE, 3 * SLICE)
    age(ledger, WINDOW + GRACE)
    assert load(ledger) == (0, 0)


def test_turning_goes_in_slices_and_may_turn_back_half_way() -> None:
    ledger = make()
    for number in range(3 * SLICE):
        add(ledger, f"r{number}")
    ledger.beat("g", 10, 0.0, 1)
    assert ledger.lapse(11.0, 1) == SLICE
    audit(ledger)
    assert load(ledger) == (3 * SLICE, SLICE - 1)
    add(ledger, "late", now=11.0)
    ledger.beat("g", 10, 11.0, 2 * MS)
    add(ledger, "later", now=11.0)
    audit(ledger)
    age(ledger, 11.0)
    assert load(ledger) == (3 * SLICE + 2, 0)


def test_orphans_stay_while_a_peer_may_hear_their_owner_but_not_for_ever() -> None:
    ledger = make()
    add(ledger)
    ledger.beat("g", 9, 0.0, 1)
    ledger.replica.holding = True
    age(ledger, 10.0)
    last = 10 + WINDOW
    for now in range(11, last):
        age(ledger, now)
        assert load(ledger) == (1, 1)
    age(ledger, last + GRACE)
    assert load(ledger) == (0, 0)


# Bounds


def test_it_refuses_more_owners_than_its_cap() -> None:
    ledger = make(max_owners=1)
    add(ledger)
    with pytest.raises(LedgerFull, match="owners reached its cap of 1"):
        add(ledger, "r2", owner="h")
    with pytest.raises(LedgerFull, match="owners"):
        ledger.beat("h", 1, 0.0, 1)
    add(ledger, "r3")
    ledger.beat("g", 1, 0.0, 1)
    assert ledger.find("r2") is None
    audit(ledger)


def test_an_add_that_is_refused_leaves_no_owner() -> None:
    ledger = make(max_engines=1)
    add(ledger, owner="")
    with pytest.raises(LedgerFull, match="engines"):
        ledger.add("r2", "c", "10.0.0.2", 5, 0.0, 1, "g")
    assert ledger.counts().owners == 0


def test_the_late_add_of_an_ended_request_leaves_no_owner() -> None:
    ledger = make()
    ledger.done("r", 0.0, 1)
    add(ledger)
    assert ledger.counts().owners == 0
    audit(ledger)


def test_peers_may_name_a_quarter_more_owners_and_further_requests_stay_without() -> None:
    ledger = make(max_owners=4)
    events = [Added(f"r{number}", "c", "10.0.0.1", 5, f"g{number}") for number in range(6)]
    ledger.replica.apply(events, Origin.of("a@1"), 1, 0.0, 1)
    ledger.replica.apply([Beat("h", 10, 1)], Origin.of("a@1"), 7, 0.0, 1)
    counts = ledger.counts()
    assert (counts.owners, counts.in_flight, counts.forgotten) == (5, 6, 2)
    audit(ledger)


# Among nodes


def test_the_later_heartbeat_stands_in_either_order() -> None:
    for turn in (1, -1):
        ledger = make()
        for beat in [Beat("g", 10, 100), Beat("g", 50, 200)][::turn]:
            ledger.replica.apply([beat], Origin.of("a@1"), 1, 0.0, 1)
        assert ledger.replica.owners(0.0) == {"g": (200, 51)}


def test_a_heartbeat_that_was_taken_by_a_clock_behind_still_holds() -> None:
    ledger = make()
    ledger.replica.apply([Beat("g", 10, 9_000_000)], Origin.of("ahead@1"), 1, 0.0, 1)
    ledger.replica.apply([Beat("g", 10, 1_000)], Origin.of("behind@1"), 1, 8.0, 1)
    assert ledger.replica.owners(8.0) == {"g": (9_000_000, 11)}


def test_what_is_told_again_and_again_does_not_keep_an_owner_alive() -> None:
    some, others = make(), make()
    add(some)
    some.beat("g", 10, 0.0, 1)
    for tenth in range(1, 200):
        now = tenth / 10
        others.replica.merge_owners(some.replica.owners(now), now + 0.95)
        some.replica.merge_owners(others.replica.owners(now + 0.95), now + 0.05)
        age(some, now + 0.05)
    assert load(some) == (1, 1)


def test_a_heartbeat_is_later_than_any_heard_of_though_this_clock_is_behind() -> None:
    ledger = make()
    ledger.replica.apply([Beat("g", 10, 5_000)], Origin.of("a@1"), 1, 0.0, 1)
    ledger.beat("g", 20, 0.0, 4_000 * MS)
    assert ledger.replica.owners(0.0) == {"g": (5_001, 21)}


def test_a_stamp_has_a_largest_value() -> None:
    ledger = make()
    ledger.replica.apply([Beat("g", 10, 2**53)], Origin.of("a@1"), 1, 0.0, 1)
    ledger.beat("g", 20, 0.0, 1)
    assert ledger.replica.owners(0.0) == {"g": (2**53, 21)}


def test_a_heartbeat_that_comes_late_holds_for_so_much_less() -> None:
    ledger = make()
    ledger.replica.apply([Beat("g", 10, 1)], Origin.of("a@1"), 1, 50.0, 1, 4.0)
    assert ledger.replica.owners(50.0) == {"g": (1, 7)}
    ledger.replica.apply([Beat("h", 10, 1)], Origin.of("a@1"), 2, 50.0, 1, 40.0)
    assert ledger.replica.owners(50.0)["h"] == (1, -29)
    age(ledger, 50.0)
    add(ledger, now=50.0, owner="h")
    assert load(ledger) == (1, 1)
    ledger.replica.apply([Beat("too late", 10, 1)], Origin.of("a@1"), 3, 500.0, 1, 11.0 + WINDOW)
    assert "too late" not in ledger.replica.owners(500.0)


def test_a_heartbeat_without_news_leaves_nothing_behind() -> None:
    ledger = make()
    ledger.replica.merge_owners({"g": (0, 10)}, 0.0)
    assert ledger.counts().owners == 0


def test_a_node_that_comes_later_is_told_of_silent_owners_too() -> None:
    old, new = make(), make()
    add(old)
    old.beat("g", 20, 0.0, 5 * MS)
    old.beat("h", 200, 0.0, 5 * MS)
    age(old, 25.0)
    assert old.replica.owners(25.0) == {"g": (5, -4), "h": (5, 176)}
    new.replica.merge_owners(old.replica.owners(25.0), 1000.0)
    new.replica.apply([Added("r", "c", "10.0.0.1", 5, "g")], Origin.of("a@1"), 1, 1000.0, 1)
    assert load(new) == (1, 0)
    age(new, 1000.0)
    assert load(new) == (1, 1)
    assert new.replica.owners(1000.0) == old.replica.owners(25.0)
    age(new, 1000.0 + GRACE)
    assert load(new) == (0, 0)


def test_nodes_do_not_keep_each_other_from_forgetting() -> None:
    some, others = make(), make()
    some.beat("g", 9, 0.0, 1)
    for now in range(10 + WINDOW + 5):
        for one, other in ((some, others), (others, some)):
            age(one, now)
            one.replica.merge_owners(other.replica.owners(now), now)
    assert some.replica.owners(now) == others.replica.owners(now) == {}


def test_owners_are_told_and_heard_in_slices() -> None:
    old, new = make(), make()
    for number in range(3 * SLICE):
        old.beat(f"g{number}", 10, 0.0, 1)
    told = old.replica.owners(0.0)
    assert len(told) == 3 * SLICE
    new.replica.merge_owners(told, 0.0)
    assert new.replica.owners(0.0) == told
    slices = list(iter(lambda: new.lapse(11.0, 1), 0))
    assert max(slices) == SLICE
    assert not any(owner.alive for owner in new.requests.owners())


def test_a_heartbeat_that_comes_too_late_to_live_by_still_puts_the_grace_off() -> None:
    ledger = make()
    add(ledger)
    ledger.beat("g", 9, 0.0, 1)
    age(ledger, 10.0)
    ledger.replica.apply([Beat("g", 9, 50)], Origin.of("a@1"), 1, 18.0, 1, 12.0)  # it ran out at 16
    age(ledger, 16.0 + GRACE - 1)
    assert load(ledger) == (1, 1)
    age(ledger, 16.0 + GRACE)
    assert load(ledger) == (0, 0)


def test_an_owner_moves_with_the_add_that_stands() -> None:
    ledger = make()
    ledger.replica.apply([Added("r", "c", "10.0.0.1", 5, "g")], Origin.of("b@1"), 1, 0.0, 1)
    ledger.replica.apply([Added("r", "c", "10.0.0.1", 5, "h")], Origin.of("a@1"), 1, 0.0, 1)
    record = ledger.find("r")
    assert record is not None
    assert record.extras is not None
    assert record.extras.owner is not None
    assert record.extras.owner.name == "h"
    assert ledger.counts().owners == 1
    assert record.phase == Phase.PREFILL
    audit(ledger)


def test_clearing_unlinks_owners_and_their_requests() -> None:
    ledger = make()
    add(ledger)
    add(ledger, "r2", owner="h")
    ledger.beat("g", 1, 0.0, 1)
    age(ledger, 5.0)
    ledger.clear()
    counts = ledger.counts()
    assert (counts.owners, counts.orphans, counts.in_flight) == (0, 0, 0)
    age(ledger, 1000.0)
