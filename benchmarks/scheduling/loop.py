# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Simulated time: what is to happen, in order. Of two things at the same time the one that was planned first happens
first, so a run is the same every time."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count
from typing import Any


class Loop:
    """A queue of calls. `now` is in seconds from 0."""

    __slots__ = ("_calls", "_numbers", "now")

    def __init__(self) -> None:
        self.now = 0.0
        self._calls: list[tuple[float, int, Callable[..., object], tuple[Any, ...]]] = []
        self._numbers = count()

    def at(self, time: float, call: Callable[..., object], *arguments: Any) -> None:
        """Plan a call. `time` is not before `now`."""
        heappush(self._calls, (time, next(self._numbers), call, arguments))

    def after(self, seconds: float, call: Callable[..., object], *arguments: Any) -> None:
        """Plan a call for `seconds` from now."""
        heappush(self._calls, (self.now + seconds, next(self._numbers), call, arguments))

    def run(self) -> None:
        """Make all calls, and those that they plan, until none is left."""
        calls = self._calls
        while calls:
            self.now, _, call, arguments = heappop(calls)
            call(*arguments)
