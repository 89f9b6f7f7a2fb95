# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Gateways that start anew under the same name: the incarnation that was first seen last stands, everywhere."""

from __future__ import annotations

from itertools import permutations
from zlib import crc32

import pytest

from loadstats.ledger import (
    BUCKETS,
    Added,
    Beat,
    CandidateNames,
    EngineChoice,
    Event,
    FromIncarnation,
    Ledger,
    LedgerFull,
    Origin,
    RequestCopy,
)
from loadstats.ledger.incarnations import MAX_HEARD, MAX_INCARNATIONS, MAX_SUPERSEDED
from loadstats.ledger.limits import SLICE
from loadstats.ledger.owners import SOON_SECONDS
from tests.audit import audit, nothing_left

WINDOW, GRACE = 100, 10
MS = 1_000_000
FIRST, SECOND = Origin.of("a@1"), Origin.of("b@1")


class Notes:
    """A journal that keeps all."""

    def __init__(self, origin: Origin = FIRST) -> None:
        self.origin = origin
        self.events: list[Event] = []

    def append(self, event: Event, now: float, size: int = 0) -> int:
        self.events.append(event)
        return len(self.events)


def make(**options: float) -> Ledger:
    return Ledger(request_seconds=WINDOW, tombstone_seconds=5, orphan_seconds=GRACE, **options)


def age(ledger: Ledger, now: float) -> None:
    while ledger.lapse(now, 1) or ledger.expire(now, 1):
        pass
    audit(ledger)


def add(ledger: Ledger, request_id: str, incarnation: str = "", now: float = 0.0, owner: str = "g") -> None:
    ledger.add(request_id, "c", "10.0.0.1", 5, now, int(now * 1e9) + MS, owner, incarnation=incarnation)
    audit(ledger)


def beat(ledger: Ledger, incarnation: str = "", now: float = 0.0, ttl: int = 20) -> bool:
    taken = ledger.beat("g", ttl, now, int(now * 1e9) + MS, incarnation)
    audit(ledger)
    return taken


def load(ledger: Ledger) -> tuple[int, int]:
    """Requests, and those of them that are orphaned."""
    rows = ledger.rows("c")
    return sum(row.queued_req_num for row in rows), sum(row.orphaned_req_num for row in rows)


def seen(ledger: Ledger, now: float = 0.0) -> dict[str, int]:
    return ledger.replica.incarnations(now).get("g", (0, {}))[1]


def pick(ledger: Ledger, request_id: str, incarnation: str, now: float) -> None:
    names = CandidateNames(["10.0.0.1"], ["10.0.0.1"])
    first = lambda view: EngineChoice(0, 1.0)  # noqa: E731
    ledger.reservations.reserve(request_id, "c", names, first, 5, now, int(now * 1e9), "g", incarnation=incarnation)
    audit(ledger)


def test_what_a_crashed_gateway_left_is_orphaned_by_the_heartbeat_of_its_next_life_and_ends_after_the_grace() -> None:
    ledger = make()
    beat(ledger, "one")
    for number in range(50):
        add(ledger, f"r{number}", "one")
    beat(ledger, "two", now=3.0)
    assert load(ledger) == (50, 50)
    left = ledger.requests.look("r0", 3.0)
    assert left is not None
    assert (left.orphaned, left.superseded) == (True, True)
    add(ledger, "mine", "two", now=4.0)
    for now in range(5, 3 + GRACE):
        beat(ledger, "two", now=now)
        age(ledger, now)
        assert load(ledger) == (51, 50)
    beat(ledger, "two", now=3 + GRACE)
    age(ledger, 3 + GRACE)
    assert load(ledger) == (1, 0)
    counts = ledger.counts()
    assert (counts.released, counts.superseded, counts.orphans) == (50, 1, 0)


@pytest.mark.parametrize("report", [add, pick])
def test_an_add_and_a_pick_of_the_next_life_orphan_too(report: object) -> None:
    ledger = make()
    for number in range(3):
        add(ledger, f"r{number}", "one")
    report(ledger, "mine", "two", 1.0)  # type: ignore[operator]
    assert load(ledger) == (4, 3)
    age(ledger, 1.0 + GRACE)
    assert load(ledger) == (1, 0)


def test_more_than_a_slice_is_orphaned_in_slices() -> None:
    ledger = make()
    for number in range(3 * SLICE):
        ledger.add(f"r{number}", "c", "10.0.0.1", 5, 0.0, MS, "g", incarnation="one")
    beat(ledger, "two", now=1.0)
    assert load(ledger) == (3 * SLICE, SLICE)
    assert ledger.lapse(1.0, 1) == SLICE
    audit(ledger)
    age(ledger, 1.0)
    assert load(ledger) == (3 * SLICE, 3 * SLICE)


def test_a_superseded_incarnation_never_returns() -> None:
    ledger = make()
    add(ledger, "a1", "one")
    add(ledger, "b1", "two", now=1.0)
    for now in range(2, 3 * WINDOW):
        assert beat(ledger, "two", now=now)
        assert not beat(ledger, "one", now=now, ttl=1000)
        age(ledger, now)
        if now % 50 == 0:
            add(ledger, f"a{now}", "one", now=now)
            assert load(ledger) == (2, 1), "a late add is an orphan from the start"
    assert load(ledger) == (1, 0)
    assert ledger.counts().superseded == 1, "and they do not orphan each other in turn"


def test_a_superseded_one_does_not_keep_the_owner_alive() -> None:
    ledger = make()
    beat(ledger, "one")
    add(ledger, "b", "two")
    beat(ledger, "two", now=1.0, ttl=5)
    for now in range(2, 10):
        assert not beat(ledger, "one", now=now, ttl=100)
    age(ledger, 10.0)
    assert load(ledger)[1] == 1


def test_an_add_without_an_incarnation_is_not_touched() -> None:
    ledger = make()
    add(ledger, "plain")
    add(ledger, "a", "one")
    add(ledger, "b", "two", now=1.0)
    add(ledger, "late", now=2.0)
    assert load(ledger) == (4, 1)
    beat(ledger, "two", now=2.0, ttl=5)
    age(ledger, 3.0)
    assert load(ledger) == (4, 1)
    age(ledger, 8.0)
    assert load(ledger) == (4, 4), "but it falls silent with its gateway"
    beat(ledger, now=9.0)
    age(ledger, 9.0)
    assert load(ledger) == (4, 1), "and is taken back, as is what stands"


def test_requests_of_the_present_incarnation_live_with_a_heartbeat_that_names_none() -> None:
    ledger = make()
    add(ledger, "r", "one")
    for now in range(0, 3 * WINDOW, 10):
        beat(ledger, now=now)
        age(ledger, now)
    assert load(ledger) == (1, 0)


def test_a_refresh_does_not_keep_what_is_superseded() -> None:
    ledger = make()
    add(ledger, "a", "one")
    beat(ledger, "two", now=1.0, ttl=1000)
    assert ledger.refresh("a", 5.0, 1)
    age(ledger, 1.0 + GRACE)
    assert load(ledger) == (0, 0)


def test_what_is_superseded_ends_though_a_peer_may_not_be_heard() -> None:
    ledger = make()
    ledger.replica.holding = True
    add(ledger, "a", "one")
    beat(ledger, "two", now=1.0, ttl=1000)
    age(ledger, 1.0 + GRACE)
    assert load(ledger) == (0, 0)


def test_an_incarnation_without_an_owner_is_nobodys() -> None:
    ledger = make()
    add(ledger, "a", "one", owner="")
    add(ledger, "b", "two", owner="")
    assert load(ledger) == (2, 0)
    assert ledger.counts().owners == 0


def test_a_clock_that_goes_back_does_not_let_the_former_life_stand() -> None:
    ledger = make()
    ledger.add("a", "c", "10.0.0.1", 5, 0.0, 9_000 * MS, "g", incarnation="z")
    ledger.add("b", "c", "10.0.0.1", 5, 1.0, 1_000 * MS, "g", incarnation="a")
    assert seen(ledger) == {"z": 9_000, "a": 9_001}
    assert load(ledger) == (2, 1)


# What is remembered


def test_it_is_remembered_for_as_long_as_a_request_of_the_former_life_may_come_late() -> None:
    ledger = make()
    add(ledger, "a", "one")
    add(ledger, "b", "two", now=1.0)
    ledger.done("a", 2.0, 1)
    ledger.done("b", 2.0, 1)
    age(ledger, WINDOW)
    add(ledger, "late", "one", now=WINDOW)
    assert load(ledger) == (1, 1)
    age(ledger, 2 * WINDOW - 1)
    assert ledger.counts().owners == 1
    age(ledger, 2 * WINDOW + 5)
    nothing_left(ledger)


def test_an_ended_request_tells_of_the_incarnation_too() -> None:
    ledger = make()
    add(ledger, "a", "one")
    ledger.done("b", 1.0, 1)
    add(ledger, "b", "two", now=2.0)
    assert load(ledger) == (1, 1)


def test_a_gateway_that_starts_anew_for_ever_costs_a_bounded_memory() -> None:
    ledger = make()
    for number in range(100):
        beat(ledger, f"i{number}", now=number / 100)
    (owner,) = ledger.requests.owners()
    assert list(owner.incarnations) == [f"i{number}" for number in range(99 - MAX_SUPERSEDED, 100)]
    assert len(seen(ledger)) == MAX_SUPERSEDED + 1


def test_one_that_goes_on_though_superseded_is_not_forgotten_however_often_the_others_start_anew() -> None:
    ledger = make()
    add(ledger, "z", "zombie")
    for number in range(100):
        assert beat(ledger, f"i{number}", now=number / 10)
        assert not beat(ledger, "zombie", now=number / 10)
    assert ledger.counts().superseded == 100


def test_incarnations_with_requests_are_remembered_until_these_have_ended() -> None:
    ledger = make()
    for number in range(50):
        add(ledger, f"r{number}", f"i{number}", now=number / 100)
    (owner,) = ledger.requests.owners()
    assert len(owner.incarnations) == 50
    assert load(ledger) == (50, 49)
    assert len(seen(ledger)) == MAX_SUPERSEDED + 1, "peers are told of as many as they remember"
    age(ledger, 1.0 + GRACE)
    assert len(owner.incarnations) == MAX_SUPERSEDED + 1
    assert load(ledger) == (1, 0)


def test_requests_of_old_incarnations_do_not_keep_those_without() -> None:
    ledger = make()
    for number in range(3):
        add(ledger, f"r{number}", f"i{number}")
    for number in range(3, 300):
        beat(ledger, f"i{number}", now=number / 1000)
    (owner,) = ledger.requests.owners()
    assert len(owner.incarnations) == MAX_SUPERSEDED + 1
    assert {"i0", "i1", "i2", "i299"} <= owner.incarnations.keys()


@pytest.mark.parametrize("report", [add, pick])
def test_an_owner_has_a_bounded_number_of_incarnations_and_room_again_after_the_grace(report: object) -> None:
    ledger = make()

    def life(number: int, now: float) -> None:
        beat(ledger, f"i{number}", now=now)
        report(ledger, f"r{number}", f"i{number}", now)  # type: ignore[operator]

    for number in range(MAX_INCARNATIONS):
        life(number, 0.0)
    (owner,) = ledger.requests.owners()
    before = ledger.counts()
    for again in (lambda: beat(ledger, "more"), lambda: report(ledger, "more", "more", 0.0)):  # type: ignore[operator]
        with pytest.raises(LedgerFull, match="incarnations of an owner reached its cap of 64"):
            again()
    assert ledger.counts() == before
    assert len(owner.incarnations) == MAX_INCARNATIONS
    add(ledger, "known", "i0")
    add(ledger, "of none")
    beat(ledger, f"i{MAX_INCARNATIONS - 1}")
    age(ledger, 1.0 + GRACE)
    life(MAX_INCARNATIONS, 1.0 + GRACE)
    assert len(owner.incarnations) == MAX_SUPERSEDED + 1


def test_peers_bring_an_owner_a_bounded_number_of_incarnations() -> None:
    ledger = make()
    for number in range(2 * MAX_HEARD):
        name, since_ms = f"i{number}", number + 1
        added = FromIncarnation(name, since_ms, Added(f"r{number}", "c", "10.0.0.1", 5, "g"))
        ledger.replica.apply([FromIncarnation(name, since_ms, Beat("g", 5, since_ms)), added], FIRST, 1, 0.0, 1)
        ledger.replica.merge_incarnations({"g": (WINDOW, {f"j{number}": since_ms})}, 0.0)
        audit(ledger)
    (owner,) = ledger.requests.owners()
    assert len(owner.incarnations) == MAX_HEARD
    assert load(ledger)[0] == 2 * MAX_HEARD, "each request counts"
    for now in range(0, 5 * WINDOW, 5):
        age(ledger, now)
    nothing_left(ledger)


def test_owners_are_capped_with_incarnations_as_without() -> None:
    ledger = make(max_owners=4)
    for number in range(4):
        add(ledger, f"r{number}", "one", owner=f"g{number}")
    with pytest.raises(LedgerFull):
        ledger.add("s", "c", "10.0.0.1", 5, 0.0, 1, "h", incarnation="one")
    with pytest.raises(LedgerFull):
        ledger.beat("h", 5, 0.0, 1, "one")
    ledger.replica.apply([FromIncarnation("x", 5, Beat("h", 5, 5))], FIRST, 1, 0.0, 1)
    assert ledger.counts().owners == 5, "peers may name a quarter more"
    ledger.replica.apply([FromIncarnation("x", 5, Beat("i", 5, 5))], FIRST, 2, 0.0, 1)
    ledger.replica.apply([FromIncarnation("x", 5, Added("t", "c", "10.0.0.1", 5, "j"))], FIRST, 3, 0.0, 1)
    ledger.replica.merge_incarnations({"k": (WINDOW, {"x": 5})}, 0.0)
    assert ledger.counts().owners == 5
    assert load(ledger) == (5, 0)
    audit(ledger)


def test_clearing_forgets_incarnations() -> None:
    ledger = make()
    add(ledger, "a", "one")
    beat(ledger, "two")
    ledger.clear()
    nothing_left(ledger)


# Among nodes


def test_events_say_when_an_incarnation_was_first_seen() -> None:
    ledger = make()
    ledger.journal = Notes()
    add(ledger, "a", "one", now=1.0)
    beat(ledger, "one", now=5.0)
    beat(ledger, now=6.0)
    add(ledger, "b", now=7.0)
    assert ledger.journal.events == [
        FromIncarnation("one", 1001, Added("a", "c", "10.0.0.1", 5, "g")),
        FromIncarnation("one", 1001, Beat("g", 20, 5001)),
        Beat("g", 20, 6001),
        Added("b", "c", "10.0.0.1", 5, "g"),
    ]
    beat(ledger, "two", now=8.0)
    beat(ledger, "one", now=9.0)
    assert len(ledger.journal.events) == 5, "what changed nothing is no event"


STORY: list[tuple[Origin, int, Event]] = [
    (FIRST, 1, FromIncarnation("one", 1, Added("a1", "c", "10.0.0.1", 5, "g"))),
    (FIRST, 2, FromIncarnation("one", 1, Beat("g", 20, 1000))),
    (SECOND, 1, FromIncarnation("two", 2, Added("b1", "c", "10.0.0.1", 5, "g"))),
    (SECOND, 2, FromIncarnation("one", 4000, Added("a2", "c", "10.0.0.1", 5, "g"))),  # it had not heard of it
    (FIRST, 3, Added("plain", "c", "10.0.0.1", 5, "g")),
]


@pytest.mark.parametrize("order", list(permutations(range(len(STORY)))))
def test_events_in_any_order_let_the_same_one_stand(order: tuple[int, ...]) -> None:
    ledger = make()
    for place in order:
        origin, seq, event = STORY[place]
        ledger.replica.apply([event], origin, seq, 0.0, 1)
        audit(ledger)
    age(ledger, 0.0)
    assert seen(ledger) == {"one": 1, "two": 2}
    assert {each.request_id for each in ledger.requests.records() if each.extras and each.extras.orphaned} == {
        "a1",
        "a2",
    }
    assert load(ledger) == (4, 2)


def test_of_two_that_were_seen_in_the_same_moment_all_nodes_choose_the_same() -> None:
    for turn in (1, -1):
        ledger = make()
        for name in ["x", "y"][::turn]:
            ledger.replica.apply([FromIncarnation(name, 7, Beat("g", 20, 9))], FIRST, 1, 0.0, 1)
        (owner,) = ledger.requests.owners()
        assert owner.present is not None
        assert owner.present.name == "y"


def test_a_node_that_joins_knows_which_one_stands() -> None:
    old, new = make(), make()
    old.journal = Notes()
    add(old, "a", "one")
    add(old, "b", "two", now=1.0)
    new.replica.merge_incarnations(old.replica.incarnations(2.0), 1000.0)
    for bucket in range(1024):
        if copies := old.replica.copies(bucket, 2.0):
            assert all(each.incarnation for each in copies)
            new.replica.merge(bucket, copies, theirs=lambda *dot: True, ours=lambda *dot: False, now=1000.0, wall_ns=1)
    audit(new)
    assert load(new) == load(old) == (2, 1)
    assert seen(new, 1000.0) == seen(old, 2.0)
    assert new.replica.digests() == old.replica.digests()
    assert not new.beat("g", 20, 1001.0, 1, "one")


def test_a_copy_tells_of_an_incarnation_that_no_summary_has() -> None:
    new = make()
    add(new, "a", "one")
    copies = [
        RequestCopy("b", 0, 9, "c", "10.0.0.1", 5, "b@1", 1, "g", 0, 0, 0, 0, incarnation="two", since_ms=5000),
        RequestCopy("c", 0, 9, "c", "10.0.0.1", 5, "b@1", 2, "g", 0, 0, 0, 0, incarnation="old"),
    ]
    for copy in copies:
        bucket = crc32(copy.request_id.encode()) % BUCKETS
        new.replica.merge(bucket, [copy], theirs=lambda *dot: False, ours=lambda *dot: False, now=0.0, wall_ns=1)
    age(new, 0.0)
    assert load(new) == (3, 2)
    assert min(seen(new).values()) == 1, "no stamp that a peer would refuse"


@pytest.mark.no_cover
def test_what_peers_report_again_and_again_keeps_no_node_from_forgetting() -> None:
    some, others = make(), make()
    add(some, "a", "one")
    add(some, "b", "two")
    some.done("a", 0.0, 1)
    some.done("b", 0.0, 1)
    for tenth in range(10 * (WINDOW + 2 * SOON_SECONDS)):
        now = tenth / 10
        others.replica.merge_incarnations(some.replica.incarnations(now), now + 0.95)
        some.replica.merge_incarnations(others.replica.incarnations(now + 0.95), now + 0.05)
        if tenth == 10:
            assert seen(others, now) == seen(some, now) == {"one": 1, "two": 2}
        age(others, now + 0.95)
        age(some, now + 0.05)
    nothing_left(some)
    nothing_left(others)


def test_nodes_that_remember_others_do_not_push_them_out_of_each_other() -> None:
    some, others = make(), make()
    for number in range(2 * MAX_SUPERSEDED):
        beat(some, f"s{number}", now=number / 100)
        beat(others, f"o{number}", now=number / 100)
    for _ in range(3):
        others.replica.merge_incarnations(some.replica.incarnations(1.0), 1.0)
        some.replica.merge_incarnations(others.replica.incarnations(1.0), 1.0)
    audit(some)
    audit(others)
    standing = {each.present.name for ledger in (some, others) for each in ledger.requests.owners() if each.present}
    assert len(standing) == 1
    before = seen(some, 1.0), seen(others, 1.0)
    others.replica.merge_incarnations(some.replica.incarnations(1.0), 1.0)
    some.replica.merge_incarnations(others.replica.incarnations(1.0), 1.0)
    assert (seen(some, 1.0), seen(others, 1.0)) == before


def test_peers_are_not_told_for_ever_of_lives_that_are_long_over() -> None:
    ledger = make()
    beat(ledger, "one")
    for now in range(1, 2 * WINDOW):
        beat(ledger, "two", now=now)
    assert seen(ledger, 2.0 * WINDOW) == {"two": 1001}
    assert not beat(ledger, "one", now=2.0 * WINDOW), "it is remembered all the same"
    assert seen(ledger, 2.0 * WINDOW) == {"one": 1, "two": 1001}, "and told of once it is heard of"


def test_a_node_that_had_not_heard_takes_back_what_it_orphaned() -> None:
    """A first-seen stamp that turns out earlier lets the other one stand again."""
    ledger = make()
    add(ledger, "a", "one", now=5.0)
    ledger.replica.apply([FromIncarnation("two", 6_000, Added("b", "c", "10.0.0.1", 5, "g"))], FIRST, 1, 6.0, 1)
    age(ledger, 6.0)
    assert load(ledger) == (2, 1)
    ledger.replica.apply([FromIncarnation("two", 1_000, Beat("g", 20, 7_000))], SECOND, 1, 7.0, 1)
    age(ledger, 7.0)
    assert {each.request_id for each in ledger.requests.records() if each.extras and each.extras.orphaned} == {"b"}
    age(ledger, 7.0 + GRACE)
    assert load(ledger) == (1, 0)


def test_it_lapses_and_is_superseded_and_taken_back_in_any_mix() -> None:
    ledger = make()
    for number in range(2 * SLICE):
        ledger.add(f"r{number}", "c", "10.0.0.1", 5, 0.0, MS, "g", incarnation="one" if number % 2 else "")
    beat(ledger, "one", ttl=4)
    ledger.lapse(5.0, 1)  # half way through
    audit(ledger)
    beat(ledger, "two", now=5.0)
    ledger.lapse(5.0, 1)
    audit(ledger)
    age(ledger, 5.0)
    assert load(ledger) == (2 * SLICE, SLICE)
    age(ledger, 26.0)
    assert load(ledger)[1] == load(ledger)[0]
