# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Many measurements of one thing, summed up. Pure."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from math import ceil
from statistics import median
from typing import NamedTuple

from msgspec import Struct


class Spread(NamedTuple):
    """The median of some rounds, and the lowest and highest of them."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """`values` has at least one."""
        return cls(median(values), min(values), max(values))

    def show(self, digits: int = 1) -> str:
        """As `2.1 (2.0–2.4)`."""
        return f"{self.median:.{digits}f} ({self.low:.{digits}f}–{self.high:.{digits}f})"


def percentile(ordered: Sequence[float], share: float) -> float:
    """The smallest of the `ordered` values that at least `share` of them do not exceed (nearest rank)."""
    return ordered[max(ceil(share * len(ordered)) - 1, 0)]


class Latencies(Struct, frozen=True):
    """Percentiles in the unit of what they were made of."""

    count: int
    p50: float
    p90: float
    p99: float
    p999: float
    longest: float

    @classmethod
    def of(cls, values: Sequence[float] | array[int], scale: float = 1.0) -> Latencies:
        """`values` has at least one, in any order; `scale` turns them into another unit."""
        ordered = sorted(values)
        p50, p90, p99, p999 = (percentile(ordered, share) * scale for share in (0.5, 0.9, 0.99, 0.999))
        return cls(len(ordered), p50, p90, p99, p999, ordered[-1] * scale)
