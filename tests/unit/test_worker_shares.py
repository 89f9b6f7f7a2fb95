# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Workers begin with what takes long, each with its part."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.worker_shares import shared_out

SECONDS = {"L": 60.0, "M": 1.0, "s": 0.0}


def seconds(tests: Sequence[str]) -> float:
    return SECONDS[tests[0][0]]


FILES = [["s1", "s2", "s3"], ["M1", "M2"], ["s4"], ["L1"], ["M3", "M4"], ["L2"], ["s5", "s6"]]


def test_each_row_begins_with_its_part_of_what_takes_long_and_the_longest_comes_first() -> None:
    assert shared_out(FILES, 2, seconds) == [
        *("L1", "M1", "M2", "s1", "s2", "s3"),
        *("L2", "M3", "M4", "s4", "s5", "s6"),
    ]


@pytest.mark.parametrize("workers", range(1, 14))
def test_nothing_is_lost_and_what_takes_long_stays_together(workers: int) -> None:
    order = shared_out(FILES, workers, seconds)
    assert sorted(order) == sorted(test for tests in FILES for test in tests)
    for tests in FILES:
        if seconds(tests):
            begin = order.index(tests[0])
            assert order[begin : begin + len(tests)] == tests


def test_where_all_take_long_all_are_there() -> None:
    assert shared_out([["L1", "L2", "L3"], ["M1"]], 2, seconds) == ["L1", "L2", "L3", "M1"]
    assert shared_out([], 2, seconds) == []
