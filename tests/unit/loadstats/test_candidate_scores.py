# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What is kept of candidates from one choice to the next."""

from __future__ import annotations

from math import inf
from random import Random

import pytest

from kvcache.index import Lengths
from loadstats.ledger import CandidateView
from loadstats.ledger.candidate_numbers import CandidateNumbers
from loadstats.ledger.cluster import Cluster, Engine
from loadstats.pick.cache_credit import CacheCredit
from loadstats.pick.candidate_scores import KEPT, CandidateScores
from loadstats.pick.options import PickOptions


class Bench:
    """A cluster's loads, and views of all engines and of some."""

    def __init__(self, *loads: tuple[int, int]) -> None:
        self.cluster = Cluster("c", b"")
        self.engines: list[Engine] = []
        for place, (requests, prompts) in enumerate(loads):
            engine = self.cluster.open(f"10.0.{place // 250}.{place % 250}")
            engine.queued_req_num, engine.prompt_length = requests, prompts
            self.engines.append(engine)
        self.loads = self.cluster.candidate_numbers()
        self.all = CandidateView(self.loads, list.copy, self.loads.ips, str)

    def some(self, *places: int) -> CandidateView:
        return CandidateView.some(self.loads, list(places), [self.loads.ips[place] for place in places], str)

    def set(self, place: int, requests: int, prompts: int) -> None:
        self.engines[place].queued_req_num, self.engines[place].prompt_length = requests, prompts
        self.loads.update(place, requests, prompts)


def shown(scores: CandidateScores) -> tuple[object, ...]:
    """All that a choice sees."""
    costs = scores.costs if scores.free else []
    sizes = (scores.fewest, scores.request, scores.prompt) if scores.free else ()
    return scores.requests, scores.prompts, costs, scores.free, sizes


def test_it_is_kept_and_brought_up_to_date() -> None:
    bench = Bench((1, 500), (4, 0), (9, 3000))
    scores = CandidateScores.of(bench.all, PickOptions())
    assert scores.costs == [pytest.approx(each) for each in (0.25 + 0.5, 1.0, 2.25 + 3)]
    bench.set(0, 2, 0)
    assert CandidateScores.of(bench.all, PickOptions()) is scores
    assert scores.fewest == 2
    assert scores.costs == [pytest.approx(each) for each in (4 / 7, 8 / 7, 18 / 7 + 3)]
    bench.set(2, 3, 800)
    CandidateScores.of(bench.all, PickOptions())
    assert scores.costs == [pytest.approx(each) for each in (1.0, 2.0, 1.5 + 2400 / 1024)]


@pytest.mark.parametrize("limit", [None, 3])
def test_what_is_kept_is_what_would_be_found_anew(limit: int | None) -> None:
    random = Random(3)
    bench = Bench(*((random.randrange(5), random.randrange(3000)) for _ in range(60)))
    options = PickOptions(max_queued=limit)
    views = [bench.all, bench.some(*range(0, 60, 2)), bench.some(7)]
    for turn in range(600):
        for _ in range(random.choice((0, 1, 1, 1, 3, 90))):
            bench.set(random.randrange(60), random.randrange(1 + turn // 100), random.choice((0, 0, 900, 4000)))
        view = random.choice(views)
        assert shown(CandidateScores.of(view, options)) == shown(CandidateScores(view, options))


def test_the_full_count_for_nothing() -> None:
    bench = Bench((1, 500), (4, 9000), (2, 100))
    options = PickOptions(max_queued=3)
    scores = CandidateScores.of(bench.all, options)
    assert (scores.requests, scores.prompts, scores.free) == ([1, inf, 2], [500, 0, 100], 2)
    assert scores.costs[1] == inf
    assert scores.prompt == 3 / 1024
    bench.set(0, 3, 500)
    bench.set(2, 3, 100)
    assert CandidateScores.of(bench.all, options).free == 0
    bench.set(1, 0, 9000)
    assert CandidateScores.of(bench.all, options) is scores
    assert (scores.requests, scores.free, scores.fewest) == ([inf, 0, inf], 1, 0)
    assert scores.costs == [inf, 3.0, inf]


def test_few_are_kept_of_each_view() -> None:
    bench = Bench((1, 500))
    first = CandidateScores.of(bench.all, PickOptions(max_queued=100))
    for number in range(KEPT):
        assert CandidateScores.of(bench.all, PickOptions(max_queued=100)) is first
        CandidateScores.of(bench.all, PickOptions(max_queued=200 + number))
        assert len(bench.all.memory) <= KEPT
    assert CandidateScores.of(bench.all, PickOptions(max_queued=100)) is not first


@pytest.mark.parametrize("known", [1, 5, 9, 10])
def test_of_whom_no_cache_is_known_it_is_worth_nothing(known: int) -> None:
    bench = Bench(*[(1, 0)] * 10)
    scores = CandidateScores.of(bench.all, PickOptions())
    ips = bench.loads.ips
    lengths = Lengths(8, 2, {ips[0]: 8, "10.9.9.9": 8}, set(ips[:known]), object())
    for _ in range(2):
        costs = scores.costs_with(CacheCredit(lengths, 0.25))
        expected = [2.0 if place == 0 else 0.5 if place < known else 0.0 for place in range(10)]
        assert [round(costs[-1] - cost, 9) for cost in costs] == [each - expected[-1] for each in expected]
        assert [scores.score(place, CacheCredit(lengths, 0.25)) for place in range(10)] == expected


def test_engines_of_one_address_share_what_is_known_of_it() -> None:
    loads = CandidateNumbers()
    loads.requests, loads.prompts = [0.0] * 3, [0.0] * 3
    view = CandidateView(loads, list.copy, ["10.0.0.1", "10.0.0.2", "10.0.0.1"], str)
    credit = CacheCredit(Lengths(4, 0, {"10.0.0.1": 4}, (), object()), 0.5)
    assert CandidateScores.of(view, PickOptions()).costs_with(credit) == [-2.0, 0.0, -2.0]


def test_who_is_known_is_asked_anew_when_the_roster_is_another() -> None:
    bench = Bench(*[(1, 0)] * 6)
    scores = CandidateScores.of(bench.all, PickOptions())
    for known in (4, 6, 1, 3):
        lengths = Lengths(2, 2, {}, set(bench.loads.ips[:known]), object())
        costs = scores.costs_with(CacheCredit(lengths, 0.5))
        assert [cost == min(costs) for cost in costs] == [place < known for place in range(6)]
