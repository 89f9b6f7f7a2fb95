# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""From which number of nodes on the log is said to be the better choice."""

from __future__ import annotations

import pytest

from benchmarks.sizes import better_from, fitted, free


def test_a_line_goes_through_costs_that_are_on_one() -> None:
    line = fitted({2: 30.0, 4: 50.0, 8: 90.0})
    assert (line.first, line.more) == pytest.approx((20.0, 10.0))
    assert line.at(3) == pytest.approx(40.0)


def test_the_log_is_better_from_the_first_size_at_which_it_costs_less() -> None:
    mesh = {2: 20.0, 4: 40.0, 8: 80.0}
    assert better_from(mesh, {2: 31.0, 4: 41.0, 8: 61.0}) == "from 5 nodes on"
    assert better_from(mesh, {2: 5.0, 4: 6.0, 8: 7.0}) == "from 2 nodes on"
    assert better_from(mesh, mesh) == "at no size up to 65 nodes"


def test_a_size_that_filled_the_core_says_nothing_of_others() -> None:
    assert free({2: 0.3, 4: 0.6, 8: 0.98}) == [2, 4]
    assert free({2: 0.3, 4: 0.6, 8: 0.8}) == [2, 4, 8]
    assert free({2: 0.95, 4: 0.99, 8: 0.99}) == [2, 4], "a line needs two"
