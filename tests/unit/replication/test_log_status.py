# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What a node's log says of a log server that comes and goes."""

from __future__ import annotations

import asyncio
import logging
from time import time_ns

import pytest

from replication.log.server import LogAway, LogRefused
from replication.log.status import STEADY_SECONDS, LogStatus


class ManualClock:
    """Stands still but for what a test adds."""

    def __init__(self) -> None:
        self.seconds = 1.0

    def now(self) -> float:
        return self.seconds

    wall_ns = staticmethod(time_ns)
    sleep = staticmethod(asyncio.sleep)
    flag = staticmethod(asyncio.Event)


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    found = [each.getMessage().split(":")[0] for each in caplog.records]
    caplog.clear()
    return found


def test_a_log_server_that_refuses_a_part_of_what_it_is_asked_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "replication.log")
    clock = ManualClock()
    status = LogStatus(clock)
    status.works()
    assert lines(caplog) == ["the log is there"]
    for _ in range(20):
        clock.seconds += 0.5
        status.failed(LogRefused("its user lacks a permission"))
        assert not status.up.is_set()
        assert status.reason
        clock.seconds += 0.5
        status.works()
        assert status.up.is_set()
    assert lines(caplog) == ["the log is away", "the log is there"]
    status.failed(LogAway("it closed the connection"))
    assert lines(caplog) == ["the log is away"]
    status.works()
    clock.seconds += STEADY_SECONDS / 2
    status.works()
    assert lines(caplog) == []
    clock.seconds += STEADY_SECONDS / 2
    for _ in range(3):
        status.works()
    assert lines(caplog) == ["the log is there"]
    status.failed(LogAway("it closed the connection"))
    status.works()
    assert lines(caplog) == ["the log is away", "the log is there"]
