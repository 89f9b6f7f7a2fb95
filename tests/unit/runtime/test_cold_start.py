# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""How long a node that began with nothing is cold."""

from __future__ import annotations

import logging

import pytest

from runtime.cold_start import ColdStart

BEGAN = "2026-01-01T00:00:00.000Z"


class Clock:
    """Monotonic seconds of a machine that has been up for a while."""

    def __init__(self) -> None:
        self.now = 50_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def cold(clock: Clock) -> ColdStart:
    return ColdStart(660.0, now=clock, wall=lambda: 1_767_225_600.0)


@pytest.mark.parametrize(("passed", "seconds"), [(0.0, 1), (0.2, 1), (1.5, 2), (60.0, 60), (659.9, 660)])
def test_it_is_cold_from_its_start_on(cold: ColdStart, clock: Clock, passed: float, seconds: int) -> None:
    clock.now += passed
    assert (cold.seconds(), cold.since()) == (seconds, BEGAN)


@pytest.mark.parametrize("passed", [660.0, 1e6])
def test_it_is_not_once_all_that_was_before_has_expired(cold: ColdStart, clock: Clock, passed: float) -> None:
    clock.now += passed
    assert (cold.seconds(), cold.since()) == (0, None)


def test_it_is_not_once_it_was_filled(cold: ColdStart, clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    found: list[int] = []
    with caplog.at_level(logging.INFO):
        clock.now += 5
        cold.on_filled = lambda: found.append(cold.seconds())
        cold.filled("10.0.0.2:8080")
        assert found == [0]
        cold.filled("10.0.0.3:8080")
    assert (cold.seconds(), cold.since()) == (0, None)
    assert caplog.messages == ["no longer cold: filled from 10.0.0.2:8080"]
