# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The report: figures, verdict, exit code; and the progress beside it."""

from __future__ import annotations

import asyncio
import io
import math
import random
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from loadstats.replay.checkpoint import KEPT_DIFFERENCES, Checkpoints, FoundDifference
from loadstats.replay.clock import PlayClock
from loadstats.replay.cluster import ReplayCluster
from loadstats.replay.expectations import Difference, Expectations
from loadstats.replay.measures import Measures, ReplayCall, percentiles
from loadstats.replay.progress import show_progress
from loadstats.replay.report import ReplayReport, sparkline


def test_percentiles_are_values_that_occurred() -> None:
    values = [float(each) for each in range(1, 1001)]
    random.Random(0).shuffle(values)
    assert percentiles(values, (0.5, 0.9, 0.999, 1.0)) == [500, 900, 999, 1000]
    assert percentiles([7.0], (0.5, 0.999)) == [7, 7]
    assert math.isnan(percentiles([], (0.5,))[0])


def test_the_sparkline_shows_the_highest_of_what_a_block_covers() -> None:
    assert sparkline([1.0, 1.5, 2.0]) == "▁▅█"
    assert sparkline([1.0] * 59 + [3.0], width=3) == "▁▁█"
    assert sparkline([1.0]) == "▁"


def report_of(measures: Measures, *, taken: int = 2, passed: int = 2, interrupted: bool = False) -> ReplayReport:
    nodes: dict[str, Any] = dict.fromkeys(measures.targets)
    checkpoints = Checkpoints(nodes, [ReplayCluster("c", ["a"])], PlayClock(lambda: 0.0), lambda: 0.0)
    checkpoints.taken, checkpoints.passed = taken, passed
    return ReplayReport(measures, checkpoints, planned=4000, wall_seconds=2.0, interrupted=interrupted)


def printed(report: ReplayReport) -> str:
    out = io.StringIO()
    report.print(Console(file=out, width=110))
    return out.getvalue()


def begun(requests: int, *targets: str) -> Measures:
    measures = Measures(targets)
    for _ in range(requests):
        measures.begin()
    return measures


def test_a_clean_report_ends_with_its_verdict() -> None:
    measures = begun(1234)
    measures.took(ReplayCall.ADD, 0.00125)
    report = report_of(measures)
    report.checkpoints.imbalance += [1.25, 1.75]
    text = printed(report)
    assert text.splitlines()[-1] == "1,234 requests, 0 errors, 0 differences"
    assert report.exit_code == 0
    assert "1.25" in next(line for line in text.splitlines() if "POST stats" in line)
    assert "mean 1.50, max 1.75" in text
    assert "2 of 2 passed" in text
    assert "617 requests/s" in text
    assert "none: played flat out" in text


def test_a_report_with_errors_names_them_and_ends_with_one() -> None:
    measures = begun(10)
    measures.failed(ReplayCall.DONE, "HTTP 500")
    measures.failed(ReplayCall.DONE, "HTTP 500")
    report = report_of(measures)
    text = printed(report)
    assert "DELETE stats: 2 × HTTP 500" in text
    assert text.endswith("10 requests, 2 errors, 0 differences\n")
    assert report.exit_code == 1


def test_a_report_with_differences_shows_the_first_and_ends_with_one() -> None:
    report = report_of(begun(10, "http://a"), passed=1)
    differences = [Difference(f"10.0.0.{index}", "prompt_length", "0 to 7", 9000) for index in range(12)]
    found = [FoundDifference(2, "http://a", "c", each) for each in differences]
    report.checkpoints.first_differences += found
    report.checkpoints.differences = 12
    text = printed(report)
    assert "checkpoint 2, engine 10.0.0.0: prompt_length is 9,000, expected 0 to 7" in text
    assert "10.0.0.10" not in text
    assert "… and 2 more differences" in text
    assert text.endswith("10 requests, 0 errors, 12 differences\n")
    assert report.exit_code == 1


def test_a_report_on_several_nodes_shows_each() -> None:
    measures = begun(10, "http://a", "http://b")
    a = measures.targets["http://a"]
    a.calls, a.failed_over, a.openings = 7000, 60, 1
    a.failures[ReplayCall.DONE, "HTTP 503"] = 5
    report = report_of(measures)
    witness = report.checkpoints.witnesses["http://b"]
    witness.passed, witness.settled = 1, [0.002, 0.0075]
    witness.skipped = {2: "not ready"}
    report.checkpoints.first_differences.append(
        FoundDifference(1, "http://a", "c", Difference("e", "queued_req_num", "0", 1))
    )
    report.checkpoints.missing = ["http://b"]
    lines = printed(report).splitlines()
    rows = {line.split()[1]: line.replace("│", " ").split() for line in lines if line.startswith("│ http")}
    assert rows["http://a"] == ["http://a", "7,000", "5", "60", "1", "0", "of", "2", "–"]
    assert rows["http://b"] == ["http://b", "0", "0", "0", "0", "1", "of", "2", "7.50"]
    assert "http://a: DELETE stats: 5 × HTTP 503" in lines
    assert "http://b: left out of 1 checkpoints (2): not ready" in lines
    assert "checkpoint 1, http://a, cluster c, engine e: queued_req_num is 1, expected 0" in lines
    assert lines[-1] == "10 requests, 0 errors, 0 differences, not there at the end: http://b"
    assert report.exit_code == 1


def test_allowed_errors_do_not_decide_the_exit_code() -> None:
    measures = begun(10)
    measures.failed(ReplayCall.DONE, "HTTP 500")
    report = report_of(measures)
    assert replace(report, allow_errors=True).exit_code == 0
    report.checkpoints.differences = 1
    assert replace(report, allow_errors=True).exit_code == 1


def test_an_interrupted_report_says_how_far_it_came() -> None:
    report = report_of(begun(10), interrupted=True)
    assert report.verdict == "interrupted: 10 of 4,000 requests, 0 errors, 0 differences"
    assert report.exit_code == 130


def test_late_starts_of_a_slow_client_are_called_by_name() -> None:
    measures = begun(2)
    measures.lag_seconds.extend([0.001, 0.002])
    assert "p99 2.00 ms, max 2.00 ms │" in printed(report_of(measures)).replace("  ", "")
    measures.lag_seconds.append(0.5)
    assert "max 500.00 ms: the client is too slow for this speed" in printed(report_of(measures))


def test_it_keeps_the_first_differences_only() -> None:
    class Wrong(Expectations):
        def differences(self, rows: object) -> list[Difference]:
            return [Difference("a", "queued_req_num", "0", 1)] * 60

    class Answering:
        async def ready(self) -> None:
            pass

        async def query(self, cluster: str) -> list[object]:
            return []

    async def take() -> Checkpoints:
        nodes: dict[str, Any] = {"http://a": Answering()}
        clusters = [ReplayCluster("c", ["a"], Wrong())]
        checkpoints = Checkpoints(nodes, clusters, PlayClock(lambda: 0.0), lambda: 0.0)
        await checkpoints.take()
        await checkpoints.take()
        return checkpoints

    checkpoints = asyncio.run(take())
    assert (checkpoints.taken, checkpoints.passed, checkpoints.differences) == (2, 0, 120)
    assert len(checkpoints.first_differences) == KEPT_DIFFERENCES


@pytest.mark.parametrize("terminal", [False, True])
def test_progress_is_a_bar_on_a_terminal_and_a_line_a_tenth_else(terminal: bool) -> None:
    measures, out = begun(40), io.StringIO()

    async def sleep(_seconds: float) -> None:
        if measures.ended == 40:
            raise asyncio.CancelledError
        for _ in range(5):
            measures.end()

    async def show() -> None:
        console = Console(file=out, force_terminal=terminal, width=110)
        with pytest.raises(asyncio.CancelledError):
            await show_progress(measures, 40, console, sleep)

    asyncio.run(show())
    if terminal:
        assert "40/40" in out.getvalue()
        assert "0 errors" in out.getvalue()
    else:
        assert out.getvalue().splitlines()[:2] == [
            " 10 %  5 of 40 requests, 35 open, 0 errors",
            " 20 %  10 of 40 requests, 30 open, 0 errors",
        ]
        assert len(out.getvalue().splitlines()) == 8
