# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Looks at every source once a second. Runs on the event loop, from its start to its stop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from metadata_center.notices.sources import NoticeSource

logger = logging.getLogger(__name__)

INTERVAL_SECONDS = 1.0


class NoticeWatch:
    """The timer.

    `sources`: what it looks at, in this order.
    """

    def __init__(self, sources: Sequence[NoticeSource]) -> None:
        self._sources = sources
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Look now, and from now on every second."""
        self._look()

    async def stop(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()

    def _look(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(INTERVAL_SECONDS, self._look)
        for source in self._sources:
            try:
                source.look()
            except Exception:
                logger.exception("%s: not looked at", type(source).__name__)
