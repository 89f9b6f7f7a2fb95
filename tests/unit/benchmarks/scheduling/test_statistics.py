# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Means over seeds and how sure they are."""

from __future__ import annotations

from math import inf
from random import Random

import pytest

from benchmarks.scheduling.statistics import Estimate, Ratio, rate_at


def test_an_interval_is_that_of_student() -> None:
    """Four values with a mean of 2.5 and a standard deviation of 1.291: 3.182 * 1.291 / 2."""
    found = Estimate.of([1, 2, 3, 4])
    assert found.mean == 2.5
    assert found.half == pytest.approx(2.054, abs=1e-3)
    assert found.show() == "2.50 ± 2.05"


def test_one_seed_says_nothing_about_how_sure_it_is() -> None:
    assert Estimate.of([3.0]) == (3.0, inf)
    assert Estimate.of([3.0]).show(1) == "3.0"


def test_nineteen_of_twenty_intervals_hold_the_truth() -> None:
    random = Random(4)
    held = 0
    for _ in range(2000):
        found = Estimate.of([random.gauss(10, 3) for _ in range(5)])
        held += abs(found.mean - 10) <= found.half
    assert held / 2000 == pytest.approx(0.95, abs=0.015)


def test_arms_are_compared_seed_by_seed() -> None:
    """What differs from seed to seed far more than from arm to arm is clear all the same."""
    ratio = Ratio.of([0.9, 9.1, 91.0, 899.0], [1.0, 10.0, 100.0, 1000.0])
    assert ratio.value == pytest.approx(0.904, abs=1e-3)
    assert ratio.clear
    assert ratio.show() == "−10 % (−10 to −9)"


def test_what_may_be_chance_stands_in_brackets() -> None:
    ratio = Ratio.of([0.9, 1.3, 1.0], [1.0, 1.0, 1.1])
    assert not ratio.clear
    assert ratio.show().startswith("[")
    assert Ratio.of([1.5], [1.0]).show() == "+50 %"


def test_what_is_twice_as_long_or_more_is_shown_as_a_multiple() -> None:
    assert Ratio.of([3.0, 3.3], [1.0, 1.1]).show() == "×3.0 (3.0 to 3.0)"
    assert Ratio.of([4.0], [1.0]).show() == "×4.0"


@pytest.mark.parametrize(
    ("values", "rate"), [([2, 3, 4], 0.0), ([0.1, 0.2, 0.4], 3.0), ([0.5, 2.0, 8.0], 1.5), ([0.5, 0.5, 2.0], 2.5)]
)
def test_the_rate_at_a_limit_lies_between_two_measured_ones(values: list[float], rate: float) -> None:
    assert rate_at(1.0, (1.0, 2.0, 3.0), values) == pytest.approx(rate)
