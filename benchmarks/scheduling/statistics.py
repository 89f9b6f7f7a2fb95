# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Means over seeds and how sure they are. Pure.

An interval is that of Student's t at 95 %. Arms that ran on the same seeds had the same requests, so they are compared
seed by seed: what one seed has of hard requests is in both.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, inf, log, sqrt
from typing import NamedTuple

T95 = (inf, 12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131)
"""Student's t at 97.5 % by degrees of freedom, from 0."""
T95_MORE = 1.96
DOUBLE = 2.0


class Estimate(NamedTuple):
    """A mean over seeds. The true one lies within `half` of it in 95 of 100 cases."""

    mean: float
    half: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Estimate:
        """`values` has one for each seed. One alone says nothing about how sure it is."""
        count = len(values)
        mean = sum(values) / count
        if count == 1:
            return cls(mean, inf)
        variance = sum((value - mean) ** 2 for value in values) / (count - 1)
        t = T95[count - 1] if count <= len(T95) else T95_MORE
        return cls(mean, t * sqrt(variance / count))

    def show(self, digits: int = 2) -> str:
        """As `1.23 ± 0.04`."""
        if self.half == inf:
            return f"{self.mean:.{digits}f}"
        return f"{self.mean:.{digits}f} ± {self.half:.{digits}f}"


class Ratio(NamedTuple):
    """By how much one arm is above or below another, as a factor, with its interval."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float], others: Sequence[float]) -> Ratio:
        """Compare seed by seed. All values are above 0."""
        logs = Estimate.of([log(value / other) for value, other in zip(values, others, strict=True)])
        if logs.half == inf:
            return cls(exp(logs.mean), 0.0, inf)
        return cls(exp(logs.mean), exp(logs.mean - logs.half), exp(logs.mean + logs.half))

    @property
    def clear(self) -> bool:
        """Whether the interval leaves out that both are the same."""
        return self.low > 1 or self.high < 1

    def show(self) -> str:
        """As `−43 % (−46 to −40)`, or `×3.1 (2.2 to 4.4)` from the double on; in brackets where it may be chance."""
        if self.value >= DOUBLE:
            text, between = f"×{self.value:.1f}", f"{self.low:.1f} to {self.high:.1f}"
        else:
            text, between = f"{_percent(self.value)} %", f"{_percent(self.low)} to {_percent(self.high)}"
        if self.low == 0:
            return text
        return f"{text} ({between})" if self.clear else f"[{text} ({between})]"


def _percent(factor: float) -> str:
    if factor == inf:
        return "any"
    change = round(100 * (factor - 1))
    return f"−{-change}" if change < 0 else f"+{change}"


def rate_at(limit: float, rates: Sequence[float], values: Sequence[float]) -> float:
    """Return the rate at which a growing value reaches a limit, between two measured ones on a logarithmic scale.

    Returns 0 if the lowest rate is beyond it, and the highest rate if none is.
    """
    if values[0] > limit:
        return 0.0
    for place in range(1, len(rates)):
        if values[place] > limit:
            low, high = log(values[place - 1]), log(values[place])
            share = (log(limit) - low) / (high - low)
            return rates[place - 1] + share * (rates[place] - rates[place - 1])
    return rates[-1]
