# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""One census of the gateways for all who ask: calls, pages and scrapes.

Any thread. Always true: at most one walk over the records is under way. Each who waits for it does a slice of it in
turn, so it ends even if the one who began it has gone.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from threading import Lock
from time import monotonic

from loadstats.ledger import Census, CensusTaker

KEPT_SECONDS = 1.0
REST = 10  # times as long as a census took it is kept: whatever asks, censuses take at most a tenth of a core


class SharedCensus:
    """The latest census. `now` returns monotonic seconds."""

    def __init__(self, taker: CensusTaker, *, now: Callable[[], float] = monotonic) -> None:
        self._taker = taker
        self._now = now
        self._lock = Lock()
        self._walk: Generator[None, None, Census] | None = None
        self._latest: Census | None = None
        self._begun = 0.0  # the latest one
        self._begun_next = 0.0  # the one under way
        self._spent = 0.0
        self._until = 0.0

    def latest(self) -> Generator[None, None, tuple[Census, float]]:
        """Return a census, and for how many seconds it has been so. Takes one if the last is too old, in slices."""
        while (found := self._step()) is None:
            yield
        return found

    def whole(self) -> Census:
        """Return the same census without letting other work of this thread have its turn."""
        while (found := self._step()) is None:
            pass
        return found[0]

    def renew(self) -> None:
        """Let the next one who asks get a new census: what is in flight was just changed by hand."""
        with self._lock:
            self._until, self._walk = 0.0, None

    def _step(self) -> tuple[Census, float] | None:
        """Do one slice of a walk if one is needed. Returns the census and its age in seconds once it is there."""
        with self._lock:
            now = self._now()
            if self._walk is None and self._latest is not None and now < self._until:
                return self._latest, max(0.0, now - self._begun)
            if self._walk is None:
                self._walk, self._begun_next, self._spent = self._taker.take(now), now, 0.0
            try:
                next(self._walk)
            except StopIteration as done:
                self._latest, self._begun, self._walk = done.value, self._begun_next, None
            ended = self._now()
            self._spent += ended - now
            if self._walk is None:
                self._until = ended + max(KEPT_SECONDS, REST * self._spent)
            return None
