# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Which engine a policy takes, with seeded randomness. Counts are bounded by six standard deviations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from math import sqrt
from random import Random
from typing import Any

import pytest

from kvcache.index import Lengths
from loadstats.ledger import CandidateView, EngineChoice
from loadstats.ledger.candidate_numbers import CandidateNumbers
from loadstats.pick.cache_credit import PromptToRead
from loadstats.pick.candidate_scores import CandidateScores
from loadstats.pick.options import PickOptions
from loadstats.pick.policies import POLICIES, choose, nth_least

TIMES = 2000


Loaded = list[tuple[int, int]]
"""Requests and prompt length of each candidate."""


def numbers(*engines: tuple[int, int]) -> Loaded:
    return list(engines)


def pick(
    them: Loaded, cached: dict[int, float], options: PickOptions, random: Callable[[], float]
) -> EngineChoice | None:
    """A choice; `cached` is the share of a prompt that some have, by place."""
    loads = CandidateNumbers()
    loads.requests = [float(requests) for requests, _ in them]
    loads.prompts = [float(length) for _, length in them]
    loads.prefills = [0.0] * len(them)
    ips = [str(place) for place in range(len(them))]
    others = {ips[place]: round(100 * share) for place, share in cached.items()}
    prompt = PromptToRead(0, 100, Lengths(100, 0, others, (), "") if cached else None)
    return choose(CandidateScores.of(CandidateView(loads, list.copy, ips, str), options), prompt, options, random)


def chosen(
    them: Loaded, options: PickOptions, cached: dict[int, float] | None = None, times: int = TIMES
) -> Counter[int]:
    """How often each place was."""
    random = Random(1).random
    found: Counter[int] = Counter()
    for _ in range(times):
        choice = pick(them, cached or {}, options, random)
        assert choice is not None
        found[choice.place] += 1
    return found


def assert_even(counts: Counter[int], places: Any, times: int = TIMES) -> None:
    """Each of the places was taken as often as any other, and no other was."""
    expected = times / len(places)
    assert set(counts) == set(places)
    assert all(abs(count - expected) < 6 * sqrt(expected) for count in counts.values())


@pytest.mark.parametrize("policy", POLICIES)
def test_a_single_candidate_is_chosen(policy: Any) -> None:
    choice = pick(numbers((7, 100)), {}, PickOptions(policy), Random(1).random)
    assert choice is not None
    assert choice.place == 0
    assert choice.score == pytest.approx(-3 * 100 / 1024)


def test_least_load_goes_by_requests_then_by_prompt_length() -> None:
    assert set(chosen(numbers((2, 0), (1, 900), (1, 800), (3, 0)), PickOptions("least_load"))) == {2}


def test_least_load_is_random_among_equals() -> None:
    assert_even(chosen(numbers((1, 5), (0, 7), (0, 7), (0, 8), (0, 7)), PickOptions("least_load")), {1, 2, 4})


def test_power_of_two_never_takes_the_most_loaded_and_any_other() -> None:
    counts = chosen(numbers((3, 0), (2, 0), (1, 0), (0, 0)), PickOptions("power_of_two"))
    # Of the six pairs, three hold the last and take it, two the third without the last, one the first two.
    assert 0 not in counts
    for place, pairs in ((3, 3), (2, 2), (1, 1)):
        assert abs(counts[place] - TIMES * pairs / 6) < 6 * sqrt(TIMES)


def test_power_of_two_is_random_among_equals() -> None:
    assert_even(chosen(numbers(*[(4, 4)] * 7), PickOptions("power_of_two")), range(7))


def test_power_of_two_compares_two_different_ones() -> None:
    assert set(chosen(numbers((1, 0), (0, 0)), PickOptions("power_of_two"))) == {1}


def test_the_score_is_as_the_gateway_counts_it() -> None:
    them = numbers((12, 500), (1, 2048), (3, 0))
    choice = pick(them, {2: 0.75}, PickOptions(), Random(1).random)
    assert choice is not None
    # 11 requests between most and fewest weigh ceil(11 / 5) = 3.
    assert choice.place == 2
    assert choice.score == pytest.approx(2 * 0.75 - 3 * (3 - 1) / 11 - 3 * 0 / 2048)


def test_a_prompt_in_the_cache_outweighs_a_little_load_and_not_a_lot() -> None:
    assert set(chosen(numbers((1, 0), (0, 0)), PickOptions(), {0: 1.0})) == {0}
    assert set(chosen(numbers((15, 0), (0, 0)), PickOptions(), {0: 1.0})) == {1}


def test_weights_change_what_counts() -> None:
    them = numbers((0, 9000), (5, 0))
    assert set(chosen(them, PickOptions())) == {1}
    assert set(chosen(them, PickOptions(prefill_load=0.0))) == {0}
    assert set(chosen(them, PickOptions(cache_ratio=0.0, request_load=0.0, prefill_load=0.0, share=1.0))) == {0, 1}
    assert set(chosen(them, PickOptions(cache_ratio=100.0), {0: 0.5})) == {0}


@pytest.mark.no_cover
@pytest.mark.parametrize(
    ("size", "share", "best"),
    [(19, 0.05, 1), (39, 0.05, 1), (40, 0.05, 2), (100, 0.29, 29), (10, 1.0, 10), (5, 0.0, 1)],
)
def test_it_is_a_random_one_of_the_best(size: int, share: float, best: int) -> None:
    places = list(range(size))
    Random(2).shuffle(places)
    counts = chosen(numbers(*((place, 0) for place in places)), PickOptions(share=share))
    assert_even(counts, {places.index(each) for each in range(best)})


@pytest.mark.no_cover
@pytest.mark.parametrize("size", [60, 600])
def test_those_that_are_equal_at_the_edge_of_the_best_have_the_same_chance(size: int) -> None:
    best = size // 20
    loads = [0] * (best - 1) + [1] * 4 + [9] * (size - best - 3)
    order = list(range(size))
    Random(3).shuffle(order)
    counts = chosen(numbers(*((loads[each], 0) for each in order)), PickOptions())
    by_rank = Counter({order[place]: count for place, count in counts.items()})
    first = Counter({rank: by_rank[rank] for rank in range(best - 1)})
    edge = Counter({rank: by_rank[rank] for rank in range(best - 1, best + 3)})
    assert first.total() + edge.total() == TIMES
    assert abs(edge.total() - TIMES / best) < 6 * sqrt(TIMES / best)
    assert_even(first, range(best - 1), first.total())
    assert_even(edge, range(best - 1, best + 3), edge.total())


@pytest.mark.parametrize("random", [lambda: 0.0, lambda: 1 - 2**-53])
@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("size", [1, 2, 20, 200])
def test_the_ends_of_randomness_stay_inside(random: Callable[[], float], policy: Any, size: int) -> None:
    choice = pick(numbers(*((place % 3, place) for place in range(size))), {}, PickOptions(policy, share=1.0), random)
    assert choice is not None
    assert 0 <= choice.place < size


@pytest.mark.no_cover
@pytest.mark.parametrize("size", [1, 2, 127, 128, 640, 1000])
@pytest.mark.parametrize("kinds", [1, 3, 10_000])
def test_the_number_of_a_rank_is_found(size: int, kinds: int) -> None:
    random = Random(5)
    for _ in range(200):
        them = [float(random.randrange(kinds)) for _ in range(size)]
        rank = random.randrange(size)
        assert nth_least(them, rank, random.random) == sorted(them)[rank]


def test_a_sample_that_misleads_costs_nothing_but_time() -> None:
    """It sees none but the 64 least, and the one of rank 70 is sought."""
    them = [0.0 if place % 10 == 7 else 9.0 for place in range(640)]
    assert nth_least(them, 63, lambda: 0.7) == 0
    assert nth_least(them, 70, lambda: 0.7) == 9


@pytest.mark.parametrize("policy", POLICIES)
def test_a_candidate_with_max_queued_requests_is_not_chosen(policy: Any) -> None:
    options = PickOptions(policy, share=1.0, max_queued=3)
    assert set(chosen(numbers((3, 0), (2, 0), (4, 0), (2, 0)), options, {0: 1.0, 3: 1.0})) == {1, 3}
    assert set(chosen(numbers((3, 0), (2, 0)), options)) == {1}
    assert set(chosen(numbers((2, 0)), options)) == {0}
    assert pick(numbers((3, 0), (3, 0)), {}, options, Random(1).random) is None
    assert pick(numbers((0, 0)), {}, PickOptions(policy, max_queued=0), Random(1).random) is None


def test_full_candidates_count_as_if_they_were_not_there() -> None:
    full = numbers((50, 99_999), (1, 100), (4, 50))
    choice = pick(full, {2: 0.5, 0: 1.0}, PickOptions(max_queued=50), Random(1).random)
    free = numbers((1, 100), (4, 50))
    rest = pick(free, {1: 0.5}, PickOptions(), Random(1).random)
    assert choice is not None
    assert rest is not None
    assert (choice.place - 1, choice.score) == (rest.place, rest.score)
