# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Requests for runs: from the real traces, or made like them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from benchmarks.scheduling import traces
from benchmarks.scheduling.kv_pool import BLOCK
from benchmarks.scheduling.traces import Prompt, Trace
from benchmarks.scheduling.workload import Workload

SMALL = Trace("chat", "made up", 100.0, [Prompt(float(n), 1000 + n, 5, (0, n // 2 + 1)) for n in range(100)], tick=3.0)


def findable(trace: Trace) -> float:
    """Return the share of full blocks that were in an earlier prompt."""
    known: set[int] = set()
    found = asked = 0
    for each in trace.prompts:
        asked += len(each.blocks)
        for block in each.blocks:
            if block not in known:
                break
            found += 1
        known.update(each.blocks)
    return found / asked


def quantiles(trace: Trace, of: Callable[[Prompt], int]) -> list[float]:
    """Return p25, p50, p75 and p90 of a length."""
    return np.quantile([of(each) for each in trace.prompts], (0.25, 0.5, 0.75, 0.9)).tolist()


@pytest.mark.parametrize("name", ["chat", "code"])
def test_what_is_made_is_like_what_was_read(name: str) -> None:
    real, made = traces.load(name), traces.made_like(name)
    if real.origin == made.origin:
        pytest.skip(f"the real trace is not in {traces.FOLDER}")
    assert len(made.prompts) == pytest.approx(len(real.prompts), rel=0.05)
    for of in (lambda each: each.prompt, lambda each: each.output):
        assert quantiles(made, of) == pytest.approx(quantiles(real, of), rel=0.25)
    assert np.mean([each.prompt for each in made.prompts]) == pytest.approx(
        np.mean([each.prompt for each in real.prompts]), rel=0.15
    )
    if name == "chat":
        assert findable(made) == pytest.approx(findable(real), abs=0.08)
        assert findable(real) == pytest.approx(0.366, abs=0.02)  # RESULTS.md, the index of KV caches


@pytest.mark.slow
def test_without_the_files_a_trace_is_made_and_says_so(tmp_path: Path) -> None:
    trace = traces.load("chat", tmp_path)
    assert "is not here" in trace.origin
    assert trace.prompts == traces.load("chat", tmp_path).prompts
    assert all(len(each.blocks) == each.prompt // BLOCK for each in trace.prompts)


def test_a_seed_gives_the_same_requests_and_another_seed_others() -> None:
    one, same, other = (Workload(SMALL, 16, 10.0, 80, 8, seed).requests() for seed in (1, 1, 2))
    assert [(each.arrival, each.prompt, each.gateway) for each in one] == [
        (each.arrival, each.prompt, each.gateway) for each in same
    ]
    assert [each.prompt for each in one] != [each.prompt for each in other]
    assert {each.gateway for each in one} == set(range(8))


def test_requests_come_at_the_rate_and_in_order() -> None:
    requests = Workload(SMALL, 16, 10.0, 300, 8, 1).requests()
    times = [each.arrival for each in requests]
    assert times == sorted(times)
    assert len(requests) / times[-1] == pytest.approx(10.0)


def test_a_larger_fleet_gets_other_conversations_and_a_smaller_one_fewer() -> None:
    many = Workload(SMALL, 64, 40.0, 400, 8, 1).requests()
    assert len({each.blocks[1] for each in many}) == 4 * 50
    assert {each.blocks[0] for each in many} == {0}
    few = Workload(SMALL, 8, 5.0, 50, 8, 1).requests()
    assert 10 < len({each.blocks[1] for each in few}) < 40


def test_a_second_round_has_conversations_of_its_own() -> None:
    requests = Workload(SMALL, 16, 10.0, 200, 8, 1).requests()
    assert len({each.blocks[1] for each in requests}) == 2 * 50
