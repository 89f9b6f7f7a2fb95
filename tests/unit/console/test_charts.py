# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The charts that the server draws."""

from __future__ import annotations

from math import nan

import pytest

from console.charts import RANGES, USUAL, cluster_charts, outline, range_of, round_up
from loadstats.history import LoadHistory
from loadstats.history.columns import CLUSTER_COLUMNS


def history(step_seconds: int = 10, **series: list[float]) -> LoadHistory:
    length = max(map(len, series.values()))
    return LoadHistory(step_seconds, 0, {each.name: [nan] * length for each in CLUSTER_COLUMNS} | series)


def test_a_line_ends_at_the_right_edge_and_gaps_stay_gaps() -> None:
    assert outline([0, 10, None, 5, None, 10], 10, 6) == "M0.0 100.0L20.0 0.0M60.0 50.0h.1M100.0 0.0h.1"


def test_a_line_that_began_lately_begins_where_it_belongs() -> None:
    assert outline([5, 5], 10, 3) == "M50.0 50.0L100.0 50.0"


def test_nothing_known_is_no_line_and_no_number() -> None:
    total = cluster_charts(history(queued_req_num=[nan] * 90), USUAL)[0]
    assert [(line.path, line.value) for line in total.lines] == [("", "–"), ("", "–")]


def test_all_lines_of_a_chart_fit_under_its_top() -> None:
    spread = cluster_charts(
        history(queued_req_num=[30] * 90, engines=[4] * 90, max_queued_req_num=[17] * 90, min_queued_req_num=[1] * 90),
        USUAL,
    )[1]
    assert spread.top == "20"
    assert [(line.name, line.value) for line in spread.lines] == [("max", "17"), ("mean", "7.5"), ("min", "1")]


def test_a_range_shows_its_part_alone() -> None:
    numbers = [1000.0] * 60 + [1.0] * 30
    assert cluster_charts(history(queued_req_num=numbers), range_of("5m"))[0].top == "5"
    assert cluster_charts(history(queued_req_num=numbers), range_of("15m"))[0].top == "1,000"


@pytest.mark.parametrize("name", [None, "", "2h", "<b>"])
def test_a_range_of_no_name_is_the_usual_one(name: str | None) -> None:
    assert range_of(name) is USUAL
    assert USUAL in RANGES


@pytest.mark.parametrize(("value", "top"), [(0, 5), (5, 5), (6, 6), (7, 8), (101, 150), (999, 1000)])
def test_a_scale_ends_at_a_round_number(value: float, top: float) -> None:
    assert round_up(value) == top
