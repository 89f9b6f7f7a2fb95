# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The small picture of a cluster's last minutes."""

from __future__ import annotations

from array import array
from math import nan

import pytest
from django.test import Client

from console.trend import trend_of
from loadstats.history.columns import CLUSTER_COLUMNS
from tests.unit.partial_node import PartialNode


def test_the_last_number_is_at_the_right_edge_and_the_largest_at_the_top() -> None:
    trend = trend_of([0.0, 10.0, 5.0])
    assert trend.line == "M0.0 30.0L60.0 2.0L120.0 16.0"
    assert trend.area == f"{trend.line}V32H0.0Z"
    assert trend.numbers == "0,10,5"


def test_what_is_unknown_is_bridged_and_the_script_is_told() -> None:
    trend = trend_of([None, 4.0, None, 4.0])
    assert trend.line == "M40.0 2.0L120.0 2.0"
    assert trend.numbers == ",4,,4"


@pytest.mark.parametrize(("numbers", "told"), [([], ""), ([None, None], ""), ([None, 3.0], ",3")])
def test_there_is_no_picture_of_less_than_two_numbers(numbers: list[float | None], told: str) -> None:
    trend = trend_of(numbers)
    assert (trend.line, trend.area, trend.numbers) == ("", "", told)


def test_a_row_of_the_overview_begins_with_what_the_node_kept(node: PartialNode) -> None:
    node.add("r", "kept")
    node.add("s", "new")
    node.history.now = lambda: 1000.0
    series = node.history.open("kept")
    assert series is not None
    for step, requests in ((97, 3.0), (98, 6.0), (99, nan)):
        series.series.put(step, array("f", [requests, *[0.0] * (len(CLUSTER_COLUMNS) - 1)]))
    page = Client(headers={"accept": "text/html"}).get("/console/").content.decode()
    assert f'data-trend="{"," * 27}3,6,"' in page
    assert 'data-step-ms="10000" data-age-ms="10000"' in page
    assert 'd="M111.7 16.0L115.9 2.0"' in page
    assert 'data-trend=""' in page  # of the cluster of which nothing is kept
