# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The rings and series of the history: steps, gaps, minutes and copies."""

from array import array
from math import isnan

from hypothesis import given
from hypothesis import strategies as st

from loadstats.history.columns import CLUSTER_COLUMNS
from loadstats.history.ring import Ring
from loadstats.history.series import PER_MINUTE, STEPS, Series

SLOTS = 5


def row(number: float) -> array:
    return array("f", [number, number + 1])


def shown(ring: Ring, last: int, count: int) -> list[float | None]:
    """The first number of each row, None for a gap."""
    return [None if isnan(each) else each for each in ring.rows(last, count)[::2]]


def test_a_step_that_was_left_out_is_a_gap() -> None:
    ring = Ring(2, SLOTS)
    ring.put(10, row(1))
    ring.put(13, row(4))
    assert shown(ring, 14, 6) == [None, 1, None, None, 4, None]


@given(
    st.lists(st.tuples(st.integers(-20, 40), st.integers(0, 9)), max_size=30), st.integers(-20, 45), st.integers(1, 9)
)
def test_a_ring_keeps_what_a_dict_of_the_latest_steps_keeps(puts: list[tuple[int, int]], last: int, count: int) -> None:
    ring, model, latest = Ring(2, SLOTS), dict[int, int](), None
    for step, number in puts:
        if latest is None or step > latest - SLOTS:
            latest = step if latest is None else max(step, latest)
            model[step] = number
        ring.put(step, row(number))
        model = {each: kept for each, kept in model.items() if latest is not None and each > latest - SLOTS}
    assert shown(ring, last, count) == [model.get(step) for step in range(last - count + 1, last + 1)]


@given(
    st.dictionaries(st.integers(-5, 12), st.integers(0, 9), max_size=10),
    st.integers(-5, 12),
    st.lists(st.one_of(st.none(), st.integers(10, 19)), max_size=8),
)
def test_a_copy_fills_gaps_and_nothing_else(own: dict[int, int], last: int, copied: list[int | None]) -> None:
    ring = Ring(2, SLOTS)
    for step in sorted(own):
        ring.put(step, row(own[step]))
    rows = array("f")
    for number in copied:
        rows += row(float("nan") if number is None else number)
    ring.fill(last, rows)
    came = {last - len(copied) + 1 + at: number for at, number in enumerate(copied) if number is not None}
    kept = {step: number for step, number in own.items() if step > max(own) - SLOTS}
    latest = max([*kept, *came], default=0)
    expected = [{**came, **kept}.get(step) for step in range(latest - SLOTS + 1, latest + 1)]
    assert shown(ring, latest, SLOTS) == expected


def test_a_minute_has_the_means_of_its_steps_and_the_extremes_of_what_is_an_extreme() -> None:
    series = Series(CLUSTER_COLUMNS)
    names = [column.name for column in CLUSTER_COLUMNS]
    for at in range(PER_MINUTE + 1):
        series.put(PER_MINUTE * 7 + at, array("f", [at] * len(names)))
    minute = dict(zip(names, series.minutes.row(7), strict=True))
    assert minute["queued_req_num"] == minute["starts_per_second"] == 2.5
    assert minute["max_queued_req_num"] == 5
    assert minute["min_queued_req_num"] == 0


def test_a_minute_in_which_the_node_was_away_for_a_while_has_the_mean_of_the_rest() -> None:
    series = Series(CLUSTER_COLUMNS)
    width = len(CLUSTER_COLUMNS)
    for step, number in ((0, 1), (1, 3), (60, 9), (66, 9)):
        series.put(step, array("f", [number] * width))
    assert [series.minutes.row(minute)[0] for minute in (0, 10)] == [2, 9]
    assert all(series.minutes.is_gap(minute) for minute in range(1, 10))


def test_a_long_silence_leaves_gaps_alone() -> None:
    series = Series(CLUSTER_COLUMNS)
    series.put(0, array("f", [1] * len(CLUSTER_COLUMNS)))
    series.put(10 * STEPS, array("f", [2] * len(CLUSTER_COLUMNS)))
    known = [each for each in series.steps.rows(10 * STEPS, STEPS) if not isnan(each)]
    assert known == [2] * len(CLUSTER_COLUMNS)
