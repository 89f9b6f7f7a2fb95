# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Fleets that are odd, and what the product has for them."""

from __future__ import annotations

from functools import cache, partial

import pytest

from benchmarks.scheduling.arms import arm
from benchmarks.scheduling.profiles import LLAMA_70B_TP4
from benchmarks.scheduling.run import Run
from benchmarks.scheduling.scenario import SCENARIOS
from benchmarks.scheduling.step_times import StepTimes
from benchmarks.scheduling.traces import made_like
from benchmarks.scheduling.workload import Workload

chat = cache(partial(made_like, "chat"))
ENGINES, REQUESTS = 8, 240


def made(name: str, scenario: str) -> Run:
    workload = Workload(chat(), ENGINES, 8.0, REQUESTS, 8, 1)
    return Run(LLAMA_70B_TP4, ENGINES, 8, workload.requests(), arm(name), 1, scenario)


def test_an_engine_that_fails_takes_most_unless_it_cools_down() -> None:
    without, with_ = (made(f"pick:least_load,cool_down={seconds}", "failing").figures() for seconds in (0, 1))
    assert without.odd > 60, "of 160"
    assert without.failed == pytest.approx(1000 * without.odd / 160)
    assert 1 <= with_.odd <= 8


def test_requests_that_fail_end_and_leave_nothing_in_flight() -> None:
    run = made("pick:score+index", "erring")
    run.figures()
    assert all(engine.load == 0 and engine.idle for engine in run.fleet.engines)
    assert any(each.failed for each in run.requests)
    assert all(each.end > 0 for each in run.requests)
    counts = run.way.nodes[0].ledger.counts()  # type: ignore[attr-defined]
    assert (counts.in_flight, counts.failed) == (0, sum(each.failed for each in run.requests))


def test_a_newcomer_gets_nothing_before_it_is_there() -> None:
    run = made("pick:least_load", "newcomer")
    figures = run.figures()
    assert all(each.place < ENGINES - 1 for each in run.requests[: REQUESTS // 3])
    assert 0 < made("pick:least_load,slow_start=60", "newcomer").figures().odd < figures.odd


def test_a_slow_engine_takes_so_many_times_as_long() -> None:
    times = StepTimes.of(LLAMA_70B_TP4)
    slow = times.slowed(2.0)
    assert slow.mixed(300, 9000.0, 5, 800) == pytest.approx(2 * times.mixed(300, 9000.0, 5, 800))
    assert slow.leap(9, 5, 800) == pytest.approx(2 * times.leap(9, 5, 800))


def test_engines_with_half_the_weight_get_about_half_as_much() -> None:
    given = {}
    for name in ("pick:least_load", "pick:least_load,weigh=1"):
        run = made(name, "unequal")
        run.figures()
        given[name] = sum(run.fleet.given[1::2]) / REQUESTS
    plain, weighed = given.values()
    assert weighed < plain
    assert SCENARIOS["unequal"].speed(1) == 0.5 * SCENARIOS["unequal"].speed(0)


def test_sessions_find_what_an_index_finds() -> None:
    alone, session, index = (made(f"pick:score{how}", "").figures().hits for how in ("", "+session", "+index"))
    assert session > alone + 0.5 * (index - alone)
