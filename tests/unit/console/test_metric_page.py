# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The metrics' page: groups, help, a few samples, search."""

from __future__ import annotations

import pytest
from django.test import Client
from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

from console.metric_page import MOST_OF_ONE, MOST_SAMPLES, SLICE, groups, value_text
from tests.unit.partial_node import PartialNode, in_place


def engines(number: int) -> Metric:
    family = GaugeMetricFamily("metadata_center_engine_queued_requests", "Requests in flight.", labels=["engine"])
    for engine in range(number):
        family.add_metric([f"10.0.0.{engine}"], engine)
    return family


def test_families_stand_in_groups_with_their_help() -> None:
    events = CounterMetricFamily("metadata_center_ledger_events", "What happened.", labels=["event"])
    events.add_metric(["added"], 1_234_567)
    other = GaugeMetricFamily("custom", "Of a plugin.", 0.5)
    shown = groups([other, events, engines(1)])
    assert [(group.title, group.families[0].name) for group in shown] == [
        ("Load", "metadata_center_engine_queued_requests"),
        ("Ledger", "metadata_center_ledger_events"),
        ("Other", "custom"),
    ]
    assert [(sample.labels, sample.value) for sample in shown[1].families[0].samples] == [
        ('event="added"', "1,234,567")
    ]
    assert shown[1].families[0].help == "What happened."


def test_a_family_of_many_shows_a_few_and_one_that_is_chosen_more() -> None:
    rests: list[int] = []
    ((family,),) = (group.families for group in groups([engines(600)], rest=lambda: rests.append(1)))
    assert (len(family.samples), family.more) == (MOST_SAMPLES, 600 - MOST_SAMPLES)
    assert len(rests) == 600 // SLICE
    ((family,),) = (group.families for group in groups([engines(600)], chosen=engines(0).name))
    assert (len(family.samples), family.more) == (MOST_OF_ONE, 600 - MOST_OF_ONE)


@pytest.mark.parametrize(
    ("wanted", "samples"),
    [("QUEUED", MOST_SAMPLES), ("in flight", MOST_SAMPLES), ('engine="10.0.0.7"', 1), ("nothing", None)],
)
def test_a_search_finds_names_help_and_labels(wanted: str, samples: int | None) -> None:
    found = groups([engines(20)], wanted)
    assert (len(found[0].families[0].samples) if found else None) == samples


def test_a_histogram_shows_its_count_and_sum() -> None:
    family = HistogramMetricFamily("h_seconds", "Time.", buckets=[("1", 3), ("+Inf", 4)], sum_value=2.25)
    (group,) = groups([family])
    assert [(sample.labels, sample.value) for sample in group.families[0].samples] == [("count", "4"), ("sum", "2.25")]


@pytest.mark.parametrize(
    ("value", "family", "text"),
    [
        (1_700_000_000.5, "process_start_time_seconds", "2023-11-14 22:13:20 UTC"),
        (0.123456789, "x", "0.123457"),
        (12_345_678.9, "x", "12,345,678.9"),
        (float("inf"), "x", "inf"),
    ],
)
def test_a_value_is_written_for_people(value: float, family: str, text: str) -> None:
    assert value_text(value, family) == text


def test_the_page_keeps_text_text_and_leads_to_the_raw_metrics() -> None:
    with in_place(PartialNode()):
        page = Client().get("/console/metrics/?q=<script>", headers={"Accept": "text/html"}).content.decode()
    assert "No metric matches <b>&lt;script&gt;</b>" in page
    assert 'href="/metrics"' in page
