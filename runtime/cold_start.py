# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Whether a node that began with nothing may still lack what was reported before it began.

The event loop reports that the node was filled; any thread may ask. Nothing is locked: one member changes, once.

Always holds: once a node is no longer cold, it never is again in this life.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from math import ceil
from time import monotonic, time

from runtime.health import rfc3339

logger = logging.getLogger("metadata_center.node")


class ColdStart:
    """The time in which a node is cold: from its start until it was filled, or until all that was before has expired.

    `expire_seconds`: how long a request is kept that nobody ends (`[Load] RequestExpire`). What was in flight when the
        node began has ended or expired by then, so the node lacks nothing any more.
    `on_filled`: called at once when the node was filled, on the event loop.
    `now` returns monotonic seconds, which decide. `wall` returns seconds since 1970, which are shown.
    """

    def __init__(
        self,
        expire_seconds: float,
        *,
        now: Callable[[], float] = monotonic,
        wall: Callable[[], float] = time,
    ) -> None:
        self._now = now
        self._began = now()
        self._ends = self._began + expire_seconds
        self._since = rfc3339(wall())
        self._filled = False
        self.on_filled: Callable[[], object] = lambda: None

    def seconds(self) -> int:
        """Return for how many seconds the node has been cold, rounded up: at least 1. Returns 0 if it is not cold."""
        now = self._now()
        return 0 if self._filled or now >= self._ends else max(1, ceil(now - self._began))

    def since(self) -> str | None:
        """Return since when the node is cold, as RFC 3339 writes it. Returns None if it is not cold."""
        return self._since if self.seconds() else None

    def filled(self, source: str) -> None:
        """Note that the node has got all that was reported before it began. `source` says from where, for the log."""
        if self.seconds():
            logger.info("no longer cold: filled from %s", source)
        self._filled = True
        self.on_filled()
