# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Counts of answers and their durations: integer adds, read by a scrape.

A `Meter` belongs to one thread. A hot route's belongs to the event loop; those of people's pages are written under the
lock of `PageMeters`. A reader may see a request's status before its duration, but never a wrong number.
"""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate
from threading import Lock

# Nanoseconds. A hot answer takes 10 to 50 µs, gateways warn at 10 ms and give up at 100 ms.
BOUNDS_NS = (
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    250_000_000,
    500_000_000,
    1_000_000_000,
)
_SHORT_NS = BOUNDS_NS[0]


class Meter:
    """The answers of one method of one route.

    `statuses`: their number, by status.
    `buckets`: a histogram of durations, `len(BOUNDS_NS) + 1` counts.
    `sum_ns`: the sum of durations.
    """

    __slots__ = ("buckets", "statuses", "sum_ns")

    def __init__(self) -> None:
        self.statuses: dict[int, int] = {}
        self.buckets = [0] * (len(BOUNDS_NS) + 1)
        self.sum_ns = 0

    def record(self, status: int, duration_ns: int) -> None:
        """Count one answer."""
        try:
            self.statuses[status] += 1
        except KeyError:
            self.statuses[status] = 1
        # Most answers are in the first bucket.
        self.buckets[0 if duration_ns <= _SHORT_NS else bisect_left(BOUNDS_NS, duration_ns)] += 1
        self.sum_ns += duration_ns

    def add(self, other: Meter) -> None:
        """Add the counts of another meter."""
        for status, count in dict(other.statuses).items():
            self.statuses[status] = self.statuses.get(status, 0) + count
        self.buckets = [mine + its for mine, its in zip(self.buckets, list(other.buckets), strict=True)]
        self.sum_ns += other.sum_ns

    def copy(self) -> Meter:
        """Return the counts of this moment."""
        meter = Meter()
        meter.add(self)
        return meter


def buckets_in_seconds(meter: Meter) -> list[tuple[str, float]]:
    """Return the histogram as Prometheus has it: cumulative counts by upper bound, in seconds."""
    counts = list(meter.buckets)
    bounds = [*(f"{bound / 1e9:g}" for bound in BOUNDS_NS), "+Inf"]
    return list(zip(bounds, accumulate(counts), strict=True))


class PageMeters:
    """Meters of what Django answers, by method and route. Only known routes are labels; the rest is `other`."""

    METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

    def __init__(self) -> None:
        self._lock = Lock()
        self._meters: dict[tuple[str, str], Meter] = {}

    def record(self, method: str, route: str | None, status: int, duration_ns: int) -> None:
        """Count one answer. `route` is the pattern that matched, or None."""
        key = (method if method in self.METHODS else "other", route or "other")
        with self._lock:
            meter = self._meters.get(key)
            if meter is None:
                meter = self._meters[key] = Meter()
            meter.record(status, duration_ns)

    def items(self) -> list[tuple[str, str, Meter]]:
        """Return method, route and meter of everything answered so far."""
        with self._lock:
            return [(method, route, meter) for (method, route), meter in self._meters.items()]
