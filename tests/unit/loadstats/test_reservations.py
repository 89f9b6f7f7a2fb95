# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import threading
from itertools import pairwise

import pytest

from loadstats.ledger import (
    MAX_ATTEMPT,
    MAX_CANDIDATES,
    Added,
    CandidateNames,
    CandidateView,
    Done,
    EngineChoice,
    EngineName,
    Event,
    Ledger,
    LedgerFull,
    NoCandidates,
    Origin,
    Reserved,
)


class Seen:
    """Takes the engine at a place, the least loaded by default, and keeps what it was shown."""

    def __init__(self, place: int | None = None) -> None:
        self.place = place
        self.view: CandidateView | None = None
        self.requests: dict[str, float] = {}
        self.prompts: list[float] = []

    def __call__(self, view: CandidateView) -> EngineChoice:
        self.view = view
        requests, self.prompts = view.numbers()
        self.requests = {view.name(place): number for place, number in enumerate(requests)}
        return EngineChoice(requests.index(min(requests)) if self.place is None else self.place, 0.5)


def names(*texts: str) -> CandidateNames:
    return CandidateNames(texts, [EngineName.of(text).ip for text in texts])


def book(
    ledger: Ledger,
    request_id: str,
    those: CandidateNames | None = None,
    choose: Seen | None = None,
    prompt_length: int = 0,
    cluster: str = "c",
) -> Reserved | None:
    return ledger.reservations.reserve(request_id, cluster, those, choose or Seen(), prompt_length, 0.0, 7)


def requests(ledger: Ledger, cluster: str = "c") -> dict[str, int]:
    return {row.engine: row.queued_req_num for row in ledger.rows(cluster)}


def test_it_counts_the_request_on_the_chosen_engine_and_tells_its_row() -> None:
    ledger = Ledger()
    ledger.add("a", "c", "10.0.0.1", 5, 0.0, 1)
    ledger.add("b", "c", "10.0.0.2", 5, 0.0, 1)
    ledger.done("b", 0.0, 1)
    reserved = book(ledger, "r", prompt_length=9)
    assert reserved is not None
    assert (reserved.ip, reserved.score) == ("10.0.0.2", 0.5)
    row = json.loads(reserved.row)
    assert row == json.loads(ledger.loads.answer("c"))[1]
    assert (row["queued_req_num"], row["prompt_length"], row["prefill_req_num"], row["updated_time"]) == (1, 9, 1, 7)
    assert requests(ledger) == {"10.0.0.1": 1, "10.0.0.2": 1}
    ledger.first_token("r", 0.0, 8)
    ledger.done("r", 0.0, 8)
    assert requests(ledger) == {"10.0.0.1": 1, "10.0.0.2": 0}


def test_it_shows_what_every_call_before_left() -> None:
    ledger = Ledger()
    peer = Origin.of("peer")
    ledger.add("a", "c", "10.0.0.1", 5, 0.0, 1)
    seen = Seen()
    book(ledger, "r1", None, seen)
    assert seen.requests == {"10.0.0.1": 1}
    ledger.loads.answer("c")
    ledger.add("b", "c", "10.0.0.2", 5, 0.0, 1)
    ledger.replica.apply([Added("x", "c", "10.0.0.3", 1), Added("y", "c", "10.0.0.3", 1)], peer, 1, 0.0, 1)
    book(ledger, "r2", None, seen)
    assert seen.requests == {"10.0.0.1": 2, "10.0.0.2": 1, "10.0.0.3": 2}
    ledger.replica.apply([Done("x")], peer, 3, 0.0, 1)
    ledger.done("r1", 0.0, 1)
    ledger.loads.answer("c")  # others bring the numbers up to date, too
    book(ledger, "r3", None, seen)
    assert seen.requests == {"10.0.0.1": 1, "10.0.0.2": 2, "10.0.0.3": 1}
    ledger.drop("c", "10.0.0.2")
    book(ledger, "r4", None, seen)
    assert seen.requests == {"10.0.0.1": 2, "10.0.0.3": 1}
    assert max(seen.prompts) == 5


def test_candidates_that_nobody_used_yet_are_idle() -> None:
    ledger = Ledger()
    ledger.add("a", "c", "10.0.0.1", 5, 0.0, 1)
    ledger.add("b", "c", "10.0.0.2", 5, 0.0, 1)
    seen = Seen()
    reserved = book(ledger, "r", names("10.0.0.2", "10.0.0.9:80/1", "10.0.0.8"), seen)
    assert seen.requests == {"10.0.0.2": 1, "10.0.0.9:80/1": 0, "10.0.0.8": 0}
    assert reserved is not None
    row = json.loads(reserved.row)
    assert (row["ip"], row["port"], row["dp_rank"], row["queued_req_num"]) == ("10.0.0.9", 80, 1, 1)
    assert requests(ledger) == {"10.0.0.1": 1, "10.0.0.2": 1, "10.0.0.9:80/1": 1}


def test_the_same_candidates_are_looked_up_anew_when_engines_come_and_go() -> None:
    ledger = Ledger()
    those = names("10.0.0.1", "10.0.0.2")
    seen = Seen()
    for number, (place, expected) in enumerate([(0, [0, 0]), (1, [1, 0]), (0, [1, 1]), (0, [2, 1])]):
        seen.place = place
        book(ledger, f"r{number}", those, seen)
        assert list(seen.requests.values()) == expected
    ledger.add("a", "c", "10.0.0.3", 0, 0.0, 1)
    book(ledger, "r4", those, seen)
    assert seen.requests == {"10.0.0.1": 3, "10.0.0.2": 1}
    ledger.drop("c", "10.0.0.1")
    seen.place = 1
    book(ledger, "r5", those, seen)
    assert seen.requests == {"10.0.0.1": 0, "10.0.0.2": 1}
    book(ledger, "other", those, seen, cluster="d")
    assert seen.requests == {"10.0.0.1": 0, "10.0.0.2": 0}
    assert requests(ledger, "d") == {"10.0.0.2": 1}


@pytest.mark.parametrize("known", ["10.0.0.1", "10.0.0.2"])
def test_a_single_candidate_is_found(known: str) -> None:
    ledger = Ledger()
    ledger.add("a", "c", known, 0, 0.0, 1)
    ledger.add("b", "c", "10.0.0.3", 0, 0.0, 1)
    seen = Seen()
    book(ledger, "r", names("10.0.0.1"), seen)
    assert seen.requests == {"10.0.0.1": 1 if known == "10.0.0.1" else 0}


def test_addresses_are_told_beside_the_numbers() -> None:
    ledger = Ledger()
    for number, text in enumerate(["10.0.0.1:80", "10.0.0.2", "10.0.0.1:81/2", "10.0.0.1"]):
        ledger.add(f"a{number}", "c", text, 0, 0.0, 1)
    for those in (None, names("10.0.0.1:81/2", "10.0.0.9", "10.0.0.1:80"), names("10.0.0.9:1")):
        for turn in range(2):
            seen = Seen()
            book(ledger, f"r{id(those)}-{turn}", those, seen)
            assert seen.view is not None
            assert list(seen.view.ips) == [EngineName.of(name).ip for name in seen.requests]
            ledger.drop("c", "10.0.0.2")


@pytest.mark.parametrize("those", [None, names("10.0.0.2", "10.0.0.1")])
def test_a_request_under_way_stays_while_its_engine_is_a_candidate(those: CandidateNames | None) -> None:
    ledger = Ledger()
    ledger.add("r", "c", "10.0.0.1", 5, 0.0, 1)
    ledger.add("other", "c", "10.0.0.2", 5, 0.0, 1)
    ledger.done("other", 0.0, 1)
    again = book(ledger, "r", those)
    assert again is not None
    assert (again.ip, again.score, again.attempt) == ("10.0.0.1", None, 1)
    assert json.loads(again.row)["queued_req_num"] == 1
    assert ledger.counts().repeated == 1
    assert requests(ledger) == {"10.0.0.1": 1, "10.0.0.2": 0}


@pytest.mark.parametrize("end", ["none", "end", "drop"])
def test_a_request_that_is_over_or_on_no_candidate_is_tried_again(end: str) -> None:
    ledger = Ledger()
    ledger.add("r", "c", "10.0.0.1", 5, 0.0, 1)
    if end == "end":
        ledger.done("r", 0.0, 1)
    if end == "drop":
        ledger.drop("c", "10.0.0.1")
    same = () if end == "none" else ("10.0.0.1",)
    again = book(ledger, "r", names("10.0.0.2", *same), Seen(0), prompt_length=7)
    assert again is not None
    assert (again.ip, again.score, again.attempt) == ("10.0.0.2", 0.5, 2)
    while ledger.lapse(0.0, 1):
        pass
    assert {name: number for name, number in requests(ledger).items() if number} == {"10.0.0.2": 1}
    assert (ledger.counts().in_flight, ledger.counts().retried) == (1, 1)
    assert ledger.rows("c")[-1].prompt_length == 7


def test_in_another_cluster_the_engine_is_no_candidate() -> None:
    ledger = Ledger()
    ledger.add("r", "c", "10.0.0.1", 5, 0.0, 1)
    again = book(ledger, "r", names("10.0.0.1"), cluster="d")
    assert again is not None
    assert again.attempt == 2
    assert (requests(ledger), requests(ledger, "d")) == ({"10.0.0.1": 0}, {"10.0.0.1": 1})


def test_nothing_moves_where_no_engine_is_taken() -> None:
    ledger = Ledger()
    ledger.add("r", "c", "10.0.0.1", 5, 0.0, 1)
    assert ledger.reservations.reserve("r", "c", names("10.0.0.2"), lambda view: None, 0, 0.0, 1) is None
    assert requests(ledger) == {"10.0.0.1": 1}
    assert book(ledger, "r", names("10.0.0.1"), Seen(0)) is not None
    assert ledger.counts().retried == 0


@pytest.mark.parametrize(("said", "stays"), [(1, True), (3, True), (4, False)])
@pytest.mark.parametrize("over", [False, True])
def test_an_attempt_that_is_no_larger_is_answered_with_its_engine(said: int, stays: bool, over: bool) -> None:
    ledger = Ledger()
    ledger.add("r", "c", "10.0.0.1", 5, 0.0, 1, attempt=3)
    if over:
        ledger.done("r", 0.0, 1)
    again = ledger.reservations.reserve("r", "c", names("10.0.0.2"), Seen(), 5, 0.0, 1, attempt=said)
    assert again is not None
    assert (again.ip, again.attempt) == (("10.0.0.1", 3) if stays else ("10.0.0.2", 4))
    assert (again.score is None) == stays


def test_there_is_no_attempt_after_the_last() -> None:
    ledger = Ledger()
    ledger.add("r", "c", "10.0.0.1", 5, 0.0, 1, attempt=MAX_ATTEMPT)
    with pytest.raises(LedgerFull, match="attempts"):
        book(ledger, "r", names("10.0.0.2"))
    assert requests(ledger) == {"10.0.0.1": 1}


def test_an_end_that_came_first_counts() -> None:
    ledger = Ledger()
    ledger.done("r", 0.0, 1)
    reserved = book(ledger, "r", names("10.0.0.1"))
    assert reserved is not None
    assert reserved.score == 0.5
    assert json.loads(reserved.row)["queued_req_num"] == 0


def test_nothing_is_booked_where_there_is_nothing_to_choose_from() -> None:
    ledger = Ledger()
    with pytest.raises(NoCandidates):
        book(ledger, "r")
    assert ledger.reservations.reserve("r", "c", names("10.0.0.1"), lambda view: None, 0, 0.0, 1) is None
    assert (ledger.clusters(), ledger.find("r")) == ([], None)


def test_a_full_ledger_refuses() -> None:
    ledger = Ledger(max_records=1)
    book(ledger, "r1", names("10.0.0.1"))
    with pytest.raises(LedgerFull, match="requests"):
        book(ledger, "r2", names("10.0.0.1"))
    assert requests(ledger) == {"10.0.0.1": 1}


def test_a_booking_is_journalled_as_an_add() -> None:
    events: list[Event] = []

    class OneJournal:
        origin = Origin.of("n@1")

        def append(self, event: Event, now: float) -> int:
            events.append(event)
            return len(events)

    ledger = Ledger()
    ledger.journal = OneJournal()
    ledger.reservations.reserve("r", "c", names("10.0.0.1"), Seen(), 5, 0.0, 1, "gateway")
    book(ledger, "r")
    assert events == [Added("r", "c", "10.0.0.1", 5, "gateway")]


def test_of_a_very_large_cluster_a_part_is_looked_at_that_begins_anywhere() -> None:
    ledger = Ledger()
    total = MAX_CANDIDATES + 100
    for number in range(total):
        ledger.add(f"a{number}", "c", f"10.0.0.{number % 2 + 1}/{number}", number, 0.0, 1)
    starts = set()
    for number in range(20):
        seen = Seen(place=number)
        reserved = book(ledger, f"r{number}", None, seen)
        assert seen.view is not None
        assert reserved is not None
        shown = list(seen.requests)
        ranks = [int(name.partition("/")[2]) for name in shown]
        assert len(ranks) == MAX_CANDIDATES
        assert all((each + 1) % total == after for each, after in pairwise(ranks))
        assert seen.prompts == ranks
        assert list(seen.view.ips) == [f"10.0.0.{rank % 2 + 1}" for rank in ranks]
        assert json.loads(reserved.row)["dp_rank"] == ranks[number]
        starts.add(ranks[0])
    assert len(starts) > 10


def test_no_engine_is_taken_twice_over_by_threads_that_choose_at_once() -> None:
    ledger = Ledger()
    those = names(*(f"10.0.0.{number}" for number in range(1, 51)))

    def several(first: int) -> None:
        for number in range(first, first + 250):
            book(ledger, f"r{number}", those)

    threads = [threading.Thread(target=several, args=(first,)) for first in range(0, 1000, 250)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(requests(ledger).values()) == {20}
