# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What may be odd about a fleet. Immutable.

The odd engine is the last one. What happens to it happens when the first third of the requests has come, and only what
comes later is measured.
"""

from __future__ import annotations

from msgspec import Struct

BEGINS_SHARE = 1 / 3


class Scenario(Struct, frozen=True):
    """One kind of oddness.

    `slow`: every second engine takes so many times as long for each step.
    `joins`: the odd engine is no candidate before.
    `fails`: the odd engine fails at each request as soon as it comes.
    `errs`: the share of all requests that fail as soon as they come to any engine.
    `watched`: of so many requests it is counted how many go to the odd engine.
    """

    slow: float = 1.0
    joins: bool = False
    fails: bool = False
    errs: float = 0.0
    watched: int = 0

    @property
    def begins(self) -> bool:
        """Whether something happens to the odd engine."""
        return self.joins or self.fails

    def speed(self, place: int) -> float:
        """Return how fast an engine is, beside one that is as fast as the model's."""
        return 1.0 / self.slow if place % 2 else 1.0


SCENARIOS = {
    "": Scenario(),
    "unequal": Scenario(slow=2.0),
    "newcomer": Scenario(joins=True, watched=30),
    "failing": Scenario(fails=True, watched=300),
    "erring": Scenario(errs=0.01),
}
"""Every scenario by its name."""
