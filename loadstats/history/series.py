# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The last hour of one cluster or engine: steps of 10 s for 15 minutes, and of 60 s for an hour. Pure.

A step's number is its place on the node's monotonic clock: step s is at 10·s seconds, minute m has the steps 6·m to
6·m + 5. A minute is closed by the first step behind it.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from math import nan
from statistics import fmean
from typing import Final

from loadstats.history.columns import Column
from loadstats.history.ring import Ring, is_gap

STEP_SECONDS: Final = 10
STEPS: Final = 90
PER_MINUTE: Final = 6
MINUTE_SECONDS: Final = STEP_SECONDS * PER_MINUTE
MINUTES: Final = 60

JOINS: dict[str, Callable[[list[float]], float]] = {"sum": fmean, "max": max, "min": min}  # over time


class Series:
    """The steps and minutes of some columns."""

    __slots__ = ("columns", "minutes", "steps")

    def __init__(self, columns: Sequence[Column]) -> None:
        self.columns = columns
        self.steps = Ring(len(columns), STEPS)
        self.minutes = Ring(len(columns), MINUTES)

    def put(self, step: int, row: array[float]) -> None:
        """Keep the row of a step that is later than all others."""
        latest = self.steps.latest
        if latest is not None and step // PER_MINUTE > latest // PER_MINUTE:
            self._close(latest // PER_MINUTE)
        self.steps.put(step, row)

    def repeat(self, step: int) -> None:
        """Keep the latest row for another step too."""
        latest = self.steps.latest
        if latest is not None:
            self.put(step, self.steps.row(latest))

    def _close(self, minute: int) -> None:
        rows = [self.steps.row(step) for step in range(minute * PER_MINUTE, (minute + 1) * PER_MINUTE)]
        means = array("f")
        for column, numbers in zip(self.columns, zip(*rows, strict=True), strict=True):
            known = [each for each in numbers if each == each]  # noqa: PLR0124 not NaN
            means.append(JOINS[column.join](known) if known else nan)
        if not is_gap(means):
            self.minutes.put(minute, means)
