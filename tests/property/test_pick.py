# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Policies against the formula written out in fractions: over plain numbers, and over a ledger and an index that change
between two picks, so that whatever is kept from one to the next must be right."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from itertools import chain, count, repeat
from math import ceil
from random import Random
from typing import Any
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.json import decode, encode

from edge.call import Call
from edge.errors import TooMany
from kvcache.index import CacheIndex, Lengths
from loadstats.ledger import CandidateNames, CandidateView, Engine, EngineChoice, EngineName, Ledger
from loadstats.ledger.candidate_numbers import CandidateNumbers
from loadstats.pick.cache_credit import PromptToRead
from loadstats.pick.candidate_scores import CandidateScores
from loadstats.pick.handlers import PickHandlers
from loadstats.pick.options import PickOptions
from loadstats.pick.policies import choose
from tests.property import EXAMPLES
from tests.property.cache_model import Model

CLOSE = Fraction(1, 10**9)

engines = st.tuples(st.integers(0, 12), st.sampled_from([0, 0, 1, 300, 512, 1024, 3000, 9999]))
weights = st.sampled_from([0.0, 0.1, 0.5, 1.0, 2.0, 3.0, 50.0])
rules = st.builds(
    PickOptions,
    cache_ratio=weights,
    request_load=weights,
    prefill_load=weights,
    share=st.sampled_from([0.0, 0.05, 0.2, 0.29, 0.5, 1.0]),
    max_queued=st.none() | st.integers(1, 13),
)


def scores(loads: list[tuple[int, int]], cached: dict[int, float], options: PickOptions) -> dict[int, Fraction]:
    """The formula, of those that are not full."""
    free = {
        place: load for place, load in enumerate(loads) if options.max_queued is None or load[0] < options.max_queued
    }
    if not free:
        return {}
    fewest = min(requests for requests, _ in free.values())
    most = max(requests for requests, _ in free.values())
    longest = max(length for _, length in free.values())
    spread = max(2, most - fewest)
    return {
        place: Fraction(options.cache_ratio) * Fraction(cached.get(place, 0.0))
        - Fraction(options.request_load) * ceil(Fraction(spread, 5)) * Fraction(requests - fewest, spread)
        - Fraction(options.prefill_load) * Fraction(length, max(1024, longest))
        for place, (requests, length) in free.items()
    }


def edge(found: dict[int, Fraction], options: PickOptions) -> Fraction:
    """The score of the last of the best."""
    best = max(1, int(Fraction(str(options.share)) * len(found)))
    return sorted(found.values(), reverse=True)[best - 1]


def pick(
    loads: list[tuple[int, int]], cached: dict[int, float], options: PickOptions, draw: Callable[[], float]
) -> EngineChoice | None:
    """A choice over plain numbers."""
    plain = CandidateNumbers()
    plain.requests, plain.prompts = [float(requests) for requests, _ in loads], [float(length) for _, length in loads]
    plain.prefills = [0.0] * len(loads)
    ips = [str(place) for place in range(len(loads))]
    others = {ips[place]: round(4 * share) for place, share in cached.items()}
    prompt = PromptToRead(0, 4, Lengths(4, 0, others, (), "") if cached else None)
    return choose(CandidateScores.of(CandidateView(plain, list.copy, ips, str), options), prompt, options, draw)


@given(st.lists(engines, min_size=1, max_size=12), st.data(), rules)
@settings(deadline=None)
def test_each_of_the_best_may_be_chosen_and_no_other(
    loads: list[tuple[int, int]], data: st.DataObject, options: PickOptions
) -> None:
    shares = st.sampled_from([0.25, 0.5, 1.0])
    cached = data.draw(st.dictionaries(st.integers(0, len(loads) - 1), shares))
    expected = scores(loads, cached, options)
    chosen: dict[int, float] = {}
    size = len(loads)
    for first in range(size):
        for second in range(size):
            draws = chain([(first + 0.5) / size, (second + 0.5) / size], repeat(0.0))
            choice = pick(loads, cached, options, draws.__next__)
            if choice is None:
                assert expected == {}
                return
            chosen[choice.place] = choice.score
    last = edge(expected, options)
    assert {place for place, score in expected.items() if score > last + CLOSE} <= set(chosen)
    for place, score in chosen.items():
        assert abs(expected[place] - Fraction(score)) < CLOSE
        assert expected[place] >= last - CLOSE
        alike = {other for other in expected if (loads[other], cached.get(other)) == (loads[place], cached.get(place))}
        assert alike <= set(chosen)


@given(st.lists(engines, min_size=120, max_size=400), st.randoms(use_true_random=False), rules)
@settings(deadline=None, max_examples=13 * EXAMPLES)
def test_of_many_it_is_one_of_the_best(loads: list[tuple[int, int]], random: Random, options: PickOptions) -> None:
    draw = random.random
    cached = {int(draw() * len(loads)): 0.5 for _ in range(int(draw() * 5))}
    expected = scores(loads, cached, options)
    for _ in range(20):
        choice = pick(loads, cached, options, draw)
        if choice is None:
            assert expected == {}
            return
        assert abs(expected[choice.place] - Fraction(choice.score)) < CLOSE
        assert expected[choice.place] >= edge(expected, options) - CLOSE


NAMES = [f"10.0.0.{number}" for number in range(1, 6)] + ["10.0.0.1:80", "10.0.0.1:80/1"]


def named(texts: list[str]) -> CandidateNames:
    return CandidateNames(texts, [EngineName.of(text).ip for text in texts])


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
    known: dict[tuple[str, ...], CandidateNames] = {}

    def shown(view: CandidateView) -> EngineChoice:
        requests, prompts = view.numbers()
        for place in range(len(requests)):
            name = view.name(place)
            engine: Engine | None = ledger.loads.engine("c", name)
            load: tuple[float, float] = (0, 0) if engine is None else (engine.queued_req_num, engine.prompt_length)
            assert (requests[place], prompts[place]) == load
            assert view.ips[place] == EngineName.of(name).ip
        assert len({view.name(place) for place in range(len(requests))}) == len(requests)
        return EngineChoice(int(sum(requests)) % len(requests), 0.0)

    for now, (step, number, texts) in enumerate(those):
        match step:
            case "add":
                ledger.add(f"r{number}", "c", texts[0], number, now, 1)
            case "book" if ledger.clusters():
                ledger.reservations.reserve(f"r{number}", "c", None, shown, number, now, 1)
            case "book some":
                some = known.setdefault(tuple(texts), named(texts))
                ledger.reservations.reserve(f"r{number}", "c", some, shown, number, now, 1)
            case "first token":
                ledger.first_token(f"r{number}", now, 1)
            case "done":
                ledger.done(f"r{number}", now, 1)
            case "drop":
                ledger.drop("c", texts[0])
                ledger.lapse(now, 1)
            case "answer":
                ledger.loads.answer("c")
            case "expire":
                ledger.expire(now, 1)
    ledger.reservations.reserve("last", "c", known.setdefault(tuple(NAMES), named(NAMES)), shown, 0, 99, 1)


CLUSTERS = st.sampled_from(["c", "c", "c", "d"])
PROMPTS = ((1, 2, 3, 4), (1, 2, 5, 6), (1, 7, 8, 9), (2, 3, 4, 5))
said = st.fixed_dictionaries(
    {},
    optional={
        "policy": st.sampled_from(["score", "least_load", "power_of_two"]),
        "share": st.sampled_from([0.0, 0.2, 1.0]),
        "max_queued": st.integers(0, 4),
        "weights": st.fixed_dictionaries({}, optional={"request_load": weights, "cache_ratio": weights}),
        "prompt_hash": st.sampled_from(PROMPTS),
        "candidates": st.sampled_from([NAMES, NAMES[:3], NAMES[::-1], NAMES[4:]]),
        "save": st.booleans(),
    },
)
moves = st.lists(
    st.tuples(
        st.sampled_from(["pick"] * 6 + ["add"] * 3 + ["first token", "done", "done", "save", "drop", "lose", "expire"]),
        CLUSTERS,
        st.integers(0, 30),
        st.sampled_from(NAMES),
        said,
    ),
    min_size=20,
    max_size=120,
)


@given(moves, st.randoms(use_true_random=False), st.sampled_from([0, 64]))
@settings(deadline=None, max_examples=25 * EXAMPLES)
def test_whatever_came_before_a_pick_is_one_of_the_best(
    those: list[tuple[str, str, int, str, dict[str, Any]]], random: Random, listed: int
) -> None:
    with (
        patch("loadstats.ledger.candidate_numbers.LISTED", listed),
        patch("loadstats.ledger.candidate_view.LISTED", listed),
    ):
        _go_through(those, random)


def _go_through(those: list[tuple[str, str, int, str, dict[str, Any]]], random: Random) -> None:
    ledger, index = Ledger(request_seconds=30, tombstone_seconds=1), CacheIndex()

    def keep(cluster: str, engine: str, hashes: tuple[int, ...], client: str = "") -> None:
        stamp = next(stamps)
        index.save(cluster, engine, hashes, 0.0, stamp)
        model.save(cluster, engine, hashes, stamp)

    def forget(cluster: str, engine: str) -> bool:
        stamp = next(stamps)
        model.drop(cluster, engine, stamp)
        index.drop(cluster, engine, stamp, 0.0)
        return index.expire(0.0) > 0

    stamps, model = count(1), Model()
    ledger.on_dropped = forget
    handlers = PickHandlers(ledger, PickOptions(), random.random, cached=index.lengths, keep=keep)
    for now, (move, cluster, number, name, members) in enumerate(those):
        handlers._now = lambda now=now: float(now)  # type: ignore[misc]
        match move:
            case "pick" if "candidates" in members or cluster in ledger.clusters():
                _pick(handlers, ledger, model, {"cluster": cluster, "request_id": f"p{now}", **members})
            case "add":
                ledger.add(f"r{number}", cluster, name, 100 * number, now, 1)
            case "first token":
                ledger.first_token(f"p{now - number}", now, 1)
            case "done":
                ledger.done(f"p{now - number}", now, 1)
            case "save":
                engine = name if number % 2 else EngineName.of(name).ip
                keep(cluster, engine, PROMPTS[number % 4][: number % 5])
            case "drop":
                ledger.drop(cluster, name)
                ledger.lapse(now, 1)
            case "lose":
                forget(cluster, name if number % 2 else EngineName.of(name).ip)
            case "expire":
                ledger.expire(now, 1)


def _pick(handlers: PickHandlers, ledger: Ledger, model: Model, members: dict[str, Any]) -> None:
    """Pick, and compare with what follows from the rows and from what was saved and dropped."""
    rows = {row.engine: (row.queued_req_num, row.prompt_length) for row in ledger.rows(members["cluster"])}
    names = members.get("candidates") or list(rows)
    loads = [rows.get(name, (0, 0)) for name in names]
    prompt = members.get("prompt_hash", ())
    lengths = {name: model.length(members["cluster"], name, prompt) for name in names}
    cached = {place: lengths[name] / 4 for place, name in enumerate(names)}
    options = PickOptions(
        members.get("policy", "score"),
        **members.get("weights", {}),
        share=members.get("share", 0.05),
        max_queued=members.get("max_queued"),
    )
    expected = scores(loads, cached, options)
    try:
        row = decode(handlers.pick(Call(b"", encode(members), {})))
    except TooMany:
        assert expected == {}
        return
    place = names.index(str(EngineName(row["ip"], row.get("port"), row.get("dp_rank"))))
    assert row["cache_length"] == lengths[names[place]]
    assert row["queued_req_num"] == loads[place][0] + 1
    assert abs(Fraction(row["score"]) - expected[place]) < CLOSE
    free = sorted(loads[each] for each in expected)
    if options.policy == "score":
        assert expected[place] >= edge(expected, options) - CLOSE
    elif options.policy == "least_load":
        assert loads[place] == free[0]
    elif len(free) > 1:
        assert loads[place] <= free[-2]
