# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What a replay measures of itself: latencies, errors, late starts, requests open. Owned by the replay's loop."""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum


class ReplayCall(StrEnum):
    """The calls of one request, in order."""

    QUERY = "GET stats"
    ADD = "POST stats"
    FIRST_TOKEN = "DELETE prompt"  # noqa: S105 a call, not a secret
    DONE = "DELETE stats"


@dataclass(slots=True)
class TargetMeasures:
    """Counts of one node over all gateways. `failed_over`: its calls that went to the next node."""

    calls: int = 0
    failures: Counter[tuple[ReplayCall, str]] = field(default_factory=Counter)
    failed_over: int = 0
    openings: int = 0


class Measures:
    """Measures of one replay, at eight bytes a call. `targets` are the nodes in their listed order."""

    def __init__(self, targets: Sequence[str] = ()) -> None:
        self.targets = {target: TargetMeasures() for target in targets}
        self.seconds = {operation: array("d") for operation in ReplayCall}
        # By operation and reason; reasons are statuses and names of error types, so they are few.
        self.errors: Counter[tuple[ReplayCall, str]] = Counter()
        self.lag_seconds = array("d")
        self.begun = 0
        self.ended = 0
        self.most_open = 0

    def took(self, operation: ReplayCall, seconds: float) -> None:
        """Record a call that was answered, with success or not, by the last node tried."""
        self.seconds[operation].append(seconds)

    def failed(self, operation: ReplayCall, reason: str) -> None:
        """Record a call that failed at one node."""
        self.errors[operation, reason] += 1

    def begin(self) -> None:
        """Count a request that began."""
        self.begun += 1
        self.most_open = max(self.most_open, self.open)

    def end(self) -> None:
        """Count a request that ended."""
        self.ended += 1

    @property
    def open(self) -> int:
        """How many requests are in flight."""
        return self.begun - self.ended

    @property
    def calls(self) -> int:
        """How many calls were made."""
        return sum(len(each) for each in self.seconds.values())

    def errors_of(self, operation: ReplayCall) -> int:
        """Return how many calls of one operation failed."""
        return sum(count for (failed, _), count in self.errors.items() if failed is operation)


def percentiles(values: Sequence[float], shares: Sequence[float]) -> list[float]:
    """Return the quantile of each of `shares` (0 < share ≤ 1): the smallest value that so many values do not exceed.

    NaN where there are no values.
    """
    if not values:
        return [math.nan for _ in shares]
    ordered = sorted(values)
    return [ordered[math.ceil(share * len(ordered)) - 1] for share in shares]
