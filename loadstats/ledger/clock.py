# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The ledger's time: whole seconds that never go back. Used under the ledger's lock."""

from __future__ import annotations

from typing import Final

FIRST_TICK: Final = -(2**40)
"""Before any other. Ticks of what was restored may be below 0, for a machine's monotonic clock begins when it does."""


class TickClock:
    """Ticks from monotonic times that callers pass in.

    `tick`: the latest tick.
    """

    def __init__(self) -> None:
        self.tick = FIRST_TICK

    def at(self, now: float) -> int:
        """Return the tick of `now`, in monotonic seconds. Records share the int, which saves 32 bytes each."""
        tick = int(now)
        if tick > self.tick:
            self.tick = tick
        return self.tick
