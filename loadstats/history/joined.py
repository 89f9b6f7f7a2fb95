# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Rows of several clusters taken together, step by step: sums, or the largest or smallest of them. Pure."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from math import nan

from loadstats.history.columns import CLUSTER_COLUMNS

JOINS: dict[str, Callable[[Sequence[float]], float]] = {"sum": sum, "max": max, "min": min}
"""How the numbers of several clusters become one."""


class Joined:
    """Some rows of clusters' columns, `count` steps of them."""

    def __init__(self, count: int = 1) -> None:
        self._count = count
        self._columns: list[list[float]] = [[nan] * count for _ in CLUSTER_COLUMNS]

    def add(self, values: array[float]) -> None:
        """Add a cluster's rows. What is unknown of it adds nothing."""
        width = len(CLUSTER_COLUMNS)
        for at, column in enumerate(CLUSTER_COLUMNS):
            join = JOINS[column.join]
            self._columns[at] = [
                each if known != known else known if each != each else join((known, each))  # noqa: PLR0124 NaN
                for known, each in zip(self._columns[at], values[at::width], strict=True)
            ]

    def values(self) -> array[float]:
        """Return the rows one after the other."""
        return array("f", [column[at] for at in range(self._count) for column in self._columns])
