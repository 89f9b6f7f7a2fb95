# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""How long one thread waits for the database. Owned by that thread. Pure but for the clock that is handed in."""

from __future__ import annotations

from collections.abc import Callable

# A statement of a page takes some milliseconds.
STATEMENT_SECONDS = 2.0
# All that one page waits for the database, over all its statements.
PAGE_SECONDS = 3.0
LEAST_SECONDS = 0.05


class Patience:
    """A bound on each wait, and one on all waits of a page.

    `statement_seconds`: for one statement; None: no bound, as for commands, which a person can stop.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self.statement_seconds: float | None = None
        self._clock = clock
        self._page_ends: float | None = None

    def begin_page(self) -> None:
        """Begin to count what a page waits."""
        self._page_ends = self._clock() + PAGE_SECONDS

    def end_page(self) -> None:
        """Count no longer."""
        self._page_ends = None

    def left(self) -> float | None:
        """Return for how many seconds to wait now; None: without a bound."""
        if self.statement_seconds is None or self._page_ends is None:
            return self.statement_seconds
        return max(LEAST_SECONDS, min(self.statement_seconds, self._page_ends - self._clock()))
