# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""How long the log's writer waits for more events before the next entry. Pure.

An entry costs its sender, each reader and the log server a wake-up, more than its events do. So entries are at least
`GATHER_SECONDS` apart on average. What was not used is saved up: below the rate that this gives, each event goes at
once, and is lost only where the node dies in that very moment.
"""

from __future__ import annotations

GATHER_SECONDS = 0.0015  # at 2,000 events/s three an entry, and half of them wait less than 1 ms
SAVED = 66  # entries: a tenth of a second's
QUIET_EVENTS = 1  # in so much time: of a busier journal nothing is saved
BUSY_GATHER_SECONDS = 0.010
BUSY_RATE = 5_000  # events/s


class Pace:
    """The pace of one writer."""

    def __init__(self) -> None:
        self._saved = float(SAVED)
        self._before = 0.0
        self._began = 0.0

    def begins(self, now: float) -> None:
        """Note that an entry is about to be appended."""
        self._before, self._began = self._began, now

    def wait_seconds(self, events: int, now: float) -> float:
        """Return how long the next entry waits behind one of so many events, which was appended just now."""
        passed = max(self._began - self._before, GATHER_SECONDS)
        turns = passed / GATHER_SECONDS
        if events >= BUSY_RATE * passed:
            self._saved = 0.0
            return max(0.0, self._began + BUSY_GATHER_SECONDS - now)
        saved = turns if events <= QUIET_EVENTS * turns else 0.0
        self._saved = max(0.0, min(SAVED, self._saved + saved) - 1)
        return 0.0 if self._saved >= 1 else max(0.0, self._began + GATHER_SECONDS - now)
