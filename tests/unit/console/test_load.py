# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""A cluster's load in words."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.load import ClusterSummary, age, busiest_first, line, span
from console.load import summarize as summarize_at
from console.signal_column import SignalCell
from loadstats.ledger import SIGNALS, Row

rows = st.lists(st.builds(Row, st.text(), st.integers(0, 50), st.integers(0, 2**60), st.just(0)), max_size=120)


def row(ip: str, requests: int, prompt_length: int = 0, updated_time: int = 0) -> Row:
    return Row(ip=ip, queued_req_num=requests, prompt_length=prompt_length, updated_time=updated_time)


def summarize(name: str, rows: Sequence[Row]) -> ClusterSummary:
    """A summary at the time of the rows' last update."""
    return summarize_at(name, rows, max((row.updated_time for row in rows), default=0), 60)


def test_the_hottest_engine_is_named_and_stale_ones_are_counted() -> None:
    rows = [row("a", 2), row("b", 3), row("c", 0)]
    assert summarize("c", rows).hottest == "b"
    assert summarize("c", [row("a", 0)]).hottest == ""
    updated = rows[0].updated_time
    assert summarize_at("c", rows, updated + 59_000_000_000, 60).stale == 0
    assert summarize_at("c", rows, updated + 60_000_000_000, 60).stale == 2


def test_imbalance_is_the_busiest_engine_over_the_mean() -> None:
    assert summarize("c", [row("a", 6), row("b", 2), row("c", 1)]).imbalance == 2.0
    assert summarize("c", [row("a", 3), row("b", 3)]).imbalance == 1.0
    assert summarize("c", [row("a", 0)]).imbalance is None
    assert summarize("c", []).imbalance is None


@given(rows)
def test_a_summary_is_what_its_rows_add_up_to(rows: list[Row]) -> None:
    summary = summarize("c", rows)
    assert summary.engines == len(rows)
    for name in SIGNALS:
        assert summary.signals[name] == sum(getattr(row, name) for row in rows)
    if summary.signals["queued_req_num"]:
        assert summary.imbalance is not None
        assert summary.imbalance >= 1 - 1e-9


def numbers(shown: list[SignalCell]) -> dict[str, int]:
    return {each.column.key: each.number for each in shown}


def test_phases_tokens_and_orphans_are_added_up() -> None:
    summary = summarize(
        "c",
        [
            Row(
                ip="a",
                queued_req_num=3,
                prompt_length=9,
                updated_time=0,
                prefill_req_num=2,
                token_num=700,
                orphaned_req_num=1,
            ),
            Row(ip="b", queued_req_num=1, prompt_length=0, updated_time=0, token_num=5),
        ],
    )
    assert numbers(summary.cells) == {"requests": 4, "prefill": 2, "prompt": 9, "tokens": 705, "orphaned": 1}
    shown = line(
        Row(
            ip="a",
            queued_req_num=3,
            prompt_length=9,
            updated_time=0,
            prefill_req_num=2,
            token_num=700,
            orphaned_req_num=1,
        ),
        summary,
        0,
        1.0,
    )
    assert numbers(shown.cells) == {"requests": 3, "prefill": 2, "prompt": 9, "tokens": 700, "orphaned": 1}


@given(rows)
def test_lines_have_shares_of_the_largest(rows: list[Row]) -> None:
    summary = summarize("c", rows)
    for each in rows:
        shown = line(each, summary, 0, 1.0)
        assert all(0 <= cell.share <= 100 for cell in shown.cells)


def test_the_busiest_comes_first_and_equals_keep_their_order() -> None:
    given_rows = [row("a", 1, 5), row("b", 2, 0), row("c", 1, 9), row("d", 1, 5)]
    assert [each.engine for each in busiest_first(given_rows)] == ["b", "c", "a", "d"]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "now"),
        (0.4, "now"),
        (1, "1 s"),
        (59.9, "59 s"),
        (60, "1 min"),
        (3599, "59 min"),
        (3600, "1 h"),
        (86_399, "23 h"),
        (86_400, "1 d"),
        (864_000, "10 d"),
    ],
)
def test_ages_are_in_the_unit_that_fits(seconds: float, text: str) -> None:
    assert age(seconds) == text


def test_a_lines_age_is_since_its_update() -> None:
    summary = summarize("c", [row("a", 1)])
    assert line(row("a", 1, updated_time=1_000_000_000), summary, 31_000_000_000, 60).age == "30 s"


@pytest.mark.parametrize(
    ("requests", "orphaned", "seconds", "mark"),
    [(1, 0, 59, ""), (1, 0, 60, "stale"), (0, 0, 60, "idle"), (1, 1, 60, "orphaned"), (1, 1, 0, "orphaned")],
)
def test_an_engine_is_stale_that_holds_requests_and_has_no_news(
    requests: int, orphaned: int, seconds: int, mark: str
) -> None:
    each = Row(ip="a", queued_req_num=requests, prompt_length=0, updated_time=0, orphaned_req_num=orphaned)
    assert line(each, summarize("c", [each]), seconds * 1_000_000_000, 60).mark == mark


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "0 s"),
        (0.4, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (626, "10 min 26 s"),
        (3600, "1 h"),
        (3660, "1 h 1 min"),
        (90_061, "25 h 1 min"),
    ],
)
def test_spans_are_in_their_two_largest_units(seconds: float, text: str) -> None:
    assert span(seconds) == text
