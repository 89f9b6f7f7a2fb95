# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The choice of an engine, the engines themselves, and the imbalance that a choice leaves."""

from __future__ import annotations

import random

import pytest

from loadstats.replay.balancer import least_loaded
from loadstats.replay.checkpoint import imbalance
from loadstats.replay.engines import ReplayEngine, ServiceTimes, addresses


def pick(engines: list[str], *rows: ReplayEngine) -> set[str]:
    rng = random.Random(0)
    return {least_loaded(engines, rows, rng) for _ in range(50)}


def test_it_picks_the_fewest_queued_requests() -> None:
    assert pick(["a", "b"], ReplayEngine("a", 2, 0), ReplayEngine("b", 1, 900)) == {"b"}


def test_it_picks_the_shorter_prompts_among_equals() -> None:
    assert pick(["a", "b"], ReplayEngine("a", 1, 10), ReplayEngine("b", 1, 9)) == {"b"}


def test_it_picks_any_of_the_equals() -> None:
    assert pick(["a", "b", "c"], ReplayEngine("a", 1, 1), ReplayEngine("b", 1, 1), ReplayEngine("c", 2, 0)) == {
        "a",
        "b",
    }


def test_an_engine_that_is_not_listed_is_idle_and_a_strange_one_does_not_count() -> None:
    assert pick(["a", "b"], ReplayEngine("a", 1, 1), ReplayEngine("z", 0, 0)) == {"b"}


def test_addresses_are_distinct_and_always_the_same() -> None:
    assert addresses(3) == ["10.0.0.1", "10.0.0.2", "10.0.0.3"]
    assert len(set(addresses(100_000))) == 100_000


def test_service_times_grow_with_the_tokens_and_shrink_with_the_engines_speed() -> None:
    assert ServiceTimes().prefill(10_000) == pytest.approx(2.0)
    assert ServiceTimes().decode(500) == pytest.approx(10.0)
    assert ServiceTimes(speed=20).decode(500) == pytest.approx(0.5)


def test_imbalance_is_the_most_over_the_mean_of_all_engines() -> None:
    rows = [ReplayEngine("a", 3, 0), ReplayEngine("b", 1, 0)]
    assert imbalance(rows, ["a", "b"]) == 1.5
    assert imbalance(rows, ["a", "b", "c", "d"]) == 3.0


def test_imbalance_says_nothing_with_fewer_requests_than_engines() -> None:
    assert imbalance([ReplayEngine("a", 1, 0)], ["a", "b"]) is None
