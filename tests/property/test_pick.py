# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Policies against the formula written out in fractions, and a cluster's numbers against its engines'."""

from __future__ import annotations

from fractions import Fraction
from itertools import chain, repeat
from math import ceil
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from loadstats.ledger import Booking, Choice, Engine, EngineName, Ledger, Lineup, Names, Numbers
from loadstats.pick.policies import Held, Rule, choose

CLOSE = Fraction(1, 10**9)

engines = st.tuples(st.integers(0, 12), st.sampled_from([0, 0, 1, 300, 512, 1024, 3000, 9999]))
weights = st.sampled_from([0.0, 0.1, 0.5, 1.0, 2.0, 3.0, 50.0])
rules = st.builds(
    Rule,
    cache_ratio=weights,
    request_load=weights,
    prefill_load=weights,
    share=st.sampled_from([0.0, 0.05, 0.2, 0.29, 0.5, 1.0]),
    max_queued=st.none() | st.integers(1, 13),
)


def scores(loads: list[tuple[int, int]], cached: dict[int, float], rule: Rule) -> dict[int, Fraction]:
    """The formula, of those that are not full."""
    free = {place: load for place, load in enumerate(loads) if rule.max_queued is None or load[0] < rule.max_queued}
    if not free:
        return {}
    fewest = min(requests for requests, _ in free.values())
    most = max(requests for requests, _ in free.values())
    longest = max(length for _, length in free.values())
    spread = max(2, most - fewest)
    return {
        place: Fraction(rule.cache_ratio) * Fraction(cached.get(place, 0.0))
        - Fraction(rule.request_load) * ceil(Fraction(spread, 5)) * Fraction(requests - fewest, spread)
        - Fraction(rule.prefill_load) * Fraction(length, max(1024, longest))
        for place, (requests, length) in free.items()
    }


def edge(found: dict[int, Fraction], rule: Rule) -> Fraction:
    """The score of the last of the best."""
    best = max(1, int(Fraction(str(rule.share)) * len(found)))
    return sorted(found.values(), reverse=True)[best - 1]


def held(loads: list[tuple[int, int]], cached: dict[int, float]) -> Held | None:
    return Held([round(4 * cached.get(place, 0)) for place in range(len(loads))], 4) if cached else None


def numbers(loads: list[tuple[int, int]]) -> Numbers:
    return Numbers.of([float(requests) for requests, _ in loads], [float(length) for _, length in loads])


@given(st.lists(engines, min_size=1, max_size=12), st.data(), rules)
@settings(deadline=None)
def test_each_of_the_best_may_be_chosen_and_no_other(
    loads: list[tuple[int, int]], data: st.DataObject, rule: Rule
) -> None:
    shares = st.sampled_from([0.25, 0.5, 1.0])
    cached = data.draw(st.dictionaries(st.integers(0, len(loads) - 1), shares))
    expected = scores(loads, cached, rule)
    chosen: dict[int, float] = {}
    size = len(loads)
    for first in range(size):
        for second in range(size):
            draws = chain([(first + 0.5) / size, (second + 0.5) / size], repeat(0.0))
            choice = choose(numbers(loads), held(loads, cached), rule, draws.__next__)
            if choice is None:
                assert expected == {}
                return
            chosen[choice.place] = choice.score
    last = edge(expected, rule)
    assert {place for place, score in expected.items() if score > last + CLOSE} <= set(chosen)
    for place, score in chosen.items():
        assert abs(expected[place] - Fraction(score)) < CLOSE
        assert expected[place] >= last - CLOSE
        alike = {other for other in expected if (loads[other], cached.get(other)) == (loads[place], cached.get(place))}
        assert alike <= set(chosen)


@given(st.lists(engines, min_size=120, max_size=400), st.randoms(use_true_random=False), rules)
@settings(deadline=None, max_examples=50)
def test_of_many_it_is_one_of_the_best(loads: list[tuple[int, int]], random: Random, rule: Rule) -> None:
    draw = random.random
    cached = {int(draw() * len(loads)): 0.5 for _ in range(int(draw() * 5))}
    expected = scores(loads, cached, rule)
    for _ in range(20):
        choice = choose(numbers(loads), held(loads, cached), rule, draw)
        if choice is None:
            assert expected == {}
            return
        assert abs(expected[choice.place] - Fraction(choice.score)) < CLOSE
        assert expected[choice.place] >= edge(expected, rule) - CLOSE


NAMES = [f"10.0.0.{number}" for number in range(1, 6)] + ["10.0.0.1:80", "10.0.0.1:80/1"]


def named(texts: list[str]) -> Names:
    return Names(texts, [EngineName.of(text).ip for text in texts])


steps = st.lists(
    st.tuples(
        st.sampled_from(["add", "book", "book some", "first token", "done", "drop", "answer", "expire"]),
        st.integers(0, 20),
        st.lists(st.sampled_from(NAMES), min_size=1, unique=True),
    ),
    max_size=60,
)


@given(steps)
@settings(deadline=None)
def test_what_is_shown_to_a_choice_is_the_load(those: list[tuple[str, int, list[str]]]) -> None:
    ledger = Ledger(request_seconds=20, tombstone_seconds=1)
    booking = Booking(ledger)
    known: dict[tuple[str, ...], Names] = {}

    def shown(lineup: Lineup) -> Choice:
        home = ledger._clusters.get("c")
        listed = {} if home is None else home.engines
        found = lineup.numbers
        for place in range(len(found.requests)):
            name = lineup.name(place)
            engine: Engine | None = listed.get(name)
            load = (0, 0) if engine is None else (engine.queued_req_num, engine.prompt_length)
            assert (found.requests[place], found.prompts[place]) == load
            assert lineup.ips[place] == EngineName.of(name).ip
        assert found == Numbers.of(found.requests, found.prompts)
        assert len({lineup.name(place) for place in range(len(found.requests))}) == len(found.requests)
        return Choice(int(sum(found.requests)) % len(found.requests), 0.0)

    for now, (step, number, texts) in enumerate(those):
        match step:
            case "add":
                ledger.add(f"r{number}", "c", texts[0], number, now, 1)
            case "book" if ledger.clusters():
                booking.book(f"r{number}", "c", None, shown, number, now, 1)
            case "book some":
                some = known.setdefault(tuple(texts), named(texts))
                booking.book(f"r{number}", "c", some, shown, number, now, 1)
            case "first token":
                ledger.first_token(f"r{number}", now, 1)
            case "done":
                ledger.done(f"r{number}", now, 1)
            case "drop":
                ledger.drop("c", texts[0])
                ledger.lapse(now, 1)
            case "answer":
                ledger.answer("c")
            case "expire":
                ledger.expire(now, 1)
    booking.book("last", "c", known.setdefault(tuple(NAMES), named(NAMES)), shown, 0, 99, 1)
