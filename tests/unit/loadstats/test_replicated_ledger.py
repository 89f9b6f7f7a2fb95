# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadstats.ledger import BUCKETS, Added, Done, FirstToken, Ledger, LegacyLedgerAdapter, Phase, RequestCopy

Rows = dict[tuple[str, str], tuple[int, int]]


def rows(ledger: Ledger) -> Rows:
    """The engines that have load. One that a losing add named may stay listed with zeros, until it expires."""
    return {
        (cluster, row.ip): (row.queued_req_num, row.prompt_length)
        for cluster in ledger.clusters()
        for row in ledger.rows(cluster)
        if row.queued_req_num
    }


def add(
    ledger: Ledger,
    request_id: str,
    dot: tuple[str, int] | None,
    ip: str = "10.0.0.1",
    length: int = 5,
    now: float = 0.0,
    age: float = 0.0,
) -> None:
    origin, seq = (ledger.replica.origin(dot[0]), dot[1]) if dot else (None, 0)
    ledger.replica.apply([Added(request_id, "c", ip, length)], origin, seq, now, 1, age)


def bucket_of(request_id: str) -> int:
    return crc32(request_id.encode()) % BUCKETS


def nobody(origin: str, seq: int) -> bool:
    return False


def everybody(origin: str, seq: int) -> bool:
    return True


def merge(
    into: Ledger,
    source: Ledger,
    request_id: str,
    *,
    theirs: bool = False,
    ours: bool = False,
    now: float = 0.0,
    source_now: float = 0.0,
) -> int:
    bucket = bucket_of(request_id)
    return into.replica.merge(
        bucket,
        source.replica.copies(bucket, source_now),
        theirs=everybody if theirs else nobody,
        ours=everybody if ours else nobody,
        now=now,
        wall_ns=1,
    )


def expire(ledger: Ledger, now: float) -> None:
    while ledger.expire(now, 1):
        pass


def phase(ledger: Ledger, request_id: str) -> Phase | None:
    record = ledger.find(request_id)
    return None if record is None or record.engine is None else Phase(record.phase)


# Adds that disagree


@pytest.mark.parametrize("decoding", [False, True])
@pytest.mark.parametrize("turn", [1, -1])
def test_adds_that_disagree_settle_on_the_lowest_dot_in_either_order(turn: int, decoding: bool) -> None:
    ledger = Ledger()
    if decoding:
        ledger.replica.apply([FirstToken("r")], None, 0, 0.0, 1)
    claims = [(("a@1", 9), "10.0.0.1", 5), (("b@1", 2), "10.0.0.2", 7), (("a@1", 8), "10.0.0.3", 11)]
    for dot, ip, length in claims[::turn]:
        add(ledger, "r", dot, ip, length)
    assert rows(ledger) == {("c", "10.0.0.3"): (1, 0 if decoding else 11)}
    alone = Ledger()
    add(alone, "r", ("a@1", 8), "10.0.0.3", 11)
    if decoding:
        alone.replica.apply([FirstToken("r")], None, 0, 0.0, 1)
    assert ledger.replica.digests() == alone.replica.digests()
    counts = ledger.counts()
    assert (counts.in_flight, counts.stubs, counts.tombstones) == (1, 0, 0)


def test_an_add_with_a_dot_stands_over_one_without() -> None:
    for first, second in (
        ((None, "10.0.0.1"), (("b@1", 1), "10.0.0.2")),
        ((("b@1", 1), "10.0.0.2"), (None, "10.0.0.1")),
    ):
        ledger = Ledger()
        for dot, ip in (first, second):
            add(ledger, "r", dot, ip)
        assert rows(ledger) == {("c", "10.0.0.2"): (1, 5)}


def test_an_add_after_the_end_changes_nothing() -> None:
    ledger = Ledger()
    add(ledger, "r", ("b@1", 5))
    ledger.replica.apply([Done("r")], None, 0, 0.0, 1)
    add(ledger, "r", ("a@1", 1), "10.0.0.2")
    assert rows(ledger) == {}
    assert ledger.replica.digests() == [0] * BUCKETS


def test_what_overtook_the_add_meets_it() -> None:
    ledger = Ledger()
    ledger.replica.apply([Done("r")], None, 0, 0.0, 1)
    ledger.replica.apply([FirstToken("s")], None, 0, 0.0, 1)
    assert ledger.counts().stubs == 2
    add(ledger, "r", ("a@1", 1))
    add(ledger, "s", ("a@1", 2))
    assert rows(ledger) == {("c", "10.0.0.1"): (1, 0)}
    assert ledger.counts().stubs == 0


# Merging


def test_a_record_that_the_other_side_alone_has_is_news() -> None:
    a, b = Ledger(), Ledger()
    add(b, "r", ("b@1", 1))
    b.replica.apply([FirstToken("r")], None, 0, 0.0, 1)
    assert merge(a, b, "r") == 1
    assert (phase(a, "r"), a.replica.digests()) == (Phase.DECODE, b.replica.digests())
    assert merge(a, b, "r") == 0
    assert a.counts().repaired == 1


def test_absent_over_there_and_covered_there_has_ended() -> None:
    a, b = Ledger(), Ledger()
    add(a, "r", ("a@1", 1))
    assert merge(a, b, "r", theirs=True) == 1
    assert (phase(a, "r"), rows(a), a.replica.digests()) == (Phase.DONE, {}, b.replica.digests())


def test_absent_over_there_and_not_covered_is_not_known_there_yet() -> None:
    a, b = Ledger(), Ledger()
    add(a, "r", ("a@1", 1))
    assert merge(a, b, "r", theirs=False) == 0
    assert phase(a, "r") is Phase.PREFILL


def test_a_stub_over_there_is_not_presence() -> None:
    """It has seen the add, and lost the record: what remains is a call that came after."""
    a, b = Ledger(), Ledger()
    add(a, "r", ("a@1", 1))
    b.replica.apply([FirstToken("r")], None, 0, 0.0, 1)
    assert merge(a, b, "r", theirs=True) == 2  # its phase is taken, then its end
    assert phase(a, "r") is Phase.DONE


def test_what_we_have_seen_and_lack_does_not_come_back() -> None:
    a, b = Ledger(), Ledger()
    add(b, "r", ("b@1", 1))
    assert merge(a, b, "r", ours=True) == 0
    assert a.find("r") is None
    a.replica.apply([FirstToken("r")], None, 0, 0.0, 1)  # a stub here is not presence either
    assert merge(a, b, "r", ours=True) == 0
    assert rows(a) == {}


def test_a_record_without_a_dot_is_neither_ended_nor_compared() -> None:
    a, b = Ledger(), Ledger()
    LegacyLedgerAdapter(a.replica).add("r", "c", "10.0.0.1", 5, 0.0, 1)
    assert merge(a, b, "r", theirs=True) == 0
    assert (phase(a, "r"), a.replica.digests()) == (Phase.PREFILL, b.replica.digests())
    assert merge(b, a, "r", ours=True) == 1  # a joining node takes it all the same
    assert phase(b, "r") is Phase.PREFILL


def test_tombstones_and_stubs_travel() -> None:
    a, b = Ledger(), Ledger()
    add(b, "r", ("b@1", 1))
    b.replica.apply([Done("r")], None, 0, 0.0, 1)
    add(a, "r", ("b@1", 1))
    assert merge(a, b, "r") == 1
    assert phase(a, "r") is Phase.DONE
    fresh = Ledger()
    assert merge(fresh, b, "r") == 1
    add(fresh, "r", ("b@1", 1))
    assert rows(fresh) == {}


def test_copies_of_another_bucket_are_left_alone() -> None:
    a = Ledger()
    wrong = (bucket_of("r") + 1) % BUCKETS
    copies = [RequestCopy("r", 0, 60, "c", "10.0.0.1", 5, "b@1", 1)]
    assert a.replica.merge(wrong, copies, theirs=nobody, ours=nobody, now=0.0, wall_ns=1) == 0
    assert a.find("r") is None


def test_conflicting_copies_settle_on_both_sides() -> None:
    a, b = Ledger(), Ledger()
    add(a, "r", ("a@1", 1), "10.0.0.1")
    add(b, "r", ("b@1", 1), "10.0.0.2")
    merge(a, b, "r")
    merge(b, a, "r")
    assert rows(a) == rows(b) == {("c", "10.0.0.1"): (1, 5)}
    assert a.replica.digests() == b.replica.digests()


# Ages


def test_ages_travel_with_events() -> None:
    ledger = Ledger(request_seconds=60)
    add(ledger, "old", ("b@1", 1), now=1000.0, age=50.0)
    add(ledger, "new", ("b@1", 2), now=1000.0)
    expire(ledger, 1011.0)
    assert (phase(ledger, "old"), phase(ledger, "new")) == (Phase.DONE, Phase.PREFILL)
    assert ledger.counts().expired == 1


def test_the_age_of_an_add_that_lost_is_not_that_of_the_one_that_stands() -> None:
    ledger = Ledger(request_seconds=60)
    add(ledger, "r", ("a@1", 1), now=1000.0)
    add(ledger, "r", ("b@1", 1), now=1000.0, age=59.0)
    expire(ledger, 1030.0)
    assert phase(ledger, "r") is Phase.PREFILL


def test_ages_travel_with_copies_whatever_the_clocks_say() -> None:
    a, b = Ledger(request_seconds=60), Ledger(request_seconds=60)
    add(b, "r", ("b@1", 1), now=5000.0)
    merge(a, b, "r", now=10.0, source_now=5040.0)
    expire(a, 29.0)
    assert phase(a, "r") is Phase.PREFILL
    expire(a, 31.0)
    assert phase(a, "r") is Phase.DONE


def test_a_copy_never_makes_a_record_live_longer() -> None:
    a, b = Ledger(request_seconds=60), Ledger(request_seconds=60)
    add(a, "r", ("b@1", 1), now=0.0)
    add(b, "r", ("b@1", 1), now=500.0)
    b.replica.apply([FirstToken("r")], None, 0, 500.0, 1)
    merge(a, b, "r", now=30.0, source_now=500.0)
    expire(a, 61.0)
    assert phase(a, "r") is Phase.DONE


# Caps


def test_what_peers_took_before_their_cap_finds_room_here() -> None:
    ledger = Ledger(max_records=8)
    for number in range(12):
        add(ledger, f"r{number}", ("b@1", number + 1))
    assert ledger.counts().in_flight == 10
    assert ledger.counts().forgotten == 2


def test_calls_that_overtake_their_add_find_room_up_to_the_cap() -> None:
    ledger = Ledger(max_records=2)
    for number in range(3):
        ledger.replica.apply([Done(f"r{number}")], None, 0, 0.0, 1)
    assert (ledger.counts().stubs, ledger.counts().forgotten) == (2, 1)


def test_an_engine_over_the_cap_is_forgotten_and_no_error() -> None:
    ledger = Ledger(max_engines=1)
    add(ledger, "r", ("b@1", 1), "10.0.0.1")
    add(ledger, "s", ("b@1", 2), "10.0.0.2")
    assert rows(ledger) == {("c", "10.0.0.1"): (1, 5)}
    assert ledger.counts().forgotten == 1


def test_an_add_that_should_stand_but_finds_no_engine_leaves_a_stub() -> None:
    ledger = Ledger(max_engines=1)
    add(ledger, "r", ("b@1", 1), "10.0.0.1")
    add(ledger, "r", ("a@1", 1), "10.0.0.2")
    assert rows(ledger) == {}
    counts = ledger.counts()
    assert (counts.in_flight, counts.stubs, counts.tombstones, counts.forgotten) == (0, 1, 0, 1)


# Any order

DOTS = st.tuples(st.sampled_from(["a@1", "b@1", "b@2"]), st.integers(1, 3))
IDS = st.sampled_from(["r", "s", "t"])
ADDS = st.tuples(st.just("add"), IDS, DOTS)
ENDS = st.tuples(st.sampled_from(["first", "done"]), IDS, st.none())
HISTORY = st.lists(st.one_of(ADDS, ENDS), max_size=8, unique=True)


def engine_of(dot: tuple[str, int]) -> tuple[str, int]:
    """An add's engine and length follow from its dot: an event never says one thing and then another."""
    return f"10.0.{dot[1]}.{ord(dot[0][0]) + int(dot[0][-1])}", dot[1] * 10


def feed(ledger: Ledger, history: list[tuple[str, str, tuple[str, int] | None]]) -> None:
    for what, request_id, dot in history:
        if dot is not None:
            add(ledger, request_id, dot, *engine_of(dot))
        elif what == "first":
            ledger.replica.apply([FirstToken(request_id)], None, 0, 0.0, 1)
        else:
            ledger.replica.apply([Done(request_id)], None, 0, 0.0, 1)


@given(st.data(), HISTORY)
def test_the_same_events_in_any_order_with_duplicates_end_in_the_same_ledger(
    data: st.DataObject, history: list[tuple[str, str, tuple[str, int] | None]]
) -> None:
    a, b = Ledger(), Ledger()
    feed(a, data.draw(st.permutations(history)))
    again = data.draw(st.lists(st.sampled_from(history), max_size=5)) if history else []
    feed(b, data.draw(st.permutations(history + again)))
    assert a.replica.digests() == b.replica.digests()
    assert rows(a) == rows(b)
    for ledger in (a, b):
        live = {
            record.request_id
            for record in ledger.requests.records()
            if record.engine and record.phase is not Phase.DONE
        }
        assert ledger.counts().in_flight == len(live) == sum(requests for requests, _ in rows(ledger).values())


@given(st.data(), HISTORY)
def test_merging_after_different_parts_of_a_history_ends_in_the_same_ledger(
    data: st.DataObject, history: list[tuple[str, str, tuple[str, int] | None]]
) -> None:
    cut = data.draw(st.integers(0, len(history)))
    a, b, whole = Ledger(), Ledger(), Ledger()
    feed(a, history[:cut])
    feed(b, history[cut:])
    feed(whole, history)
    for into, source in ((a, b), (b, a), (a, b)):
        for request_id in ("r", "s", "t"):
            merge(into, source, request_id)
    assert a.replica.digests() == b.replica.digests() == whole.replica.digests()
    assert rows(a) == rows(b) == rows(whole)
