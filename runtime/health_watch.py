# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Watches the parts of the node, so that what people read as "since" is when it happened. Runs on the event loop."""

from __future__ import annotations

import asyncio

from runtime.health import Health

INTERVAL_SECONDS = 1.0  # a change is dated at most this late


class HealthWatch:
    """A probe of every part once a second. It starts and stops with the server's loop."""

    def __init__(self, health: Health) -> None:
        self._health = health
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Look now, and from now on every second."""
        self._health.watched = True
        self._look()

    async def stop(self) -> None:
        """Leave it to those who ask."""
        self._health.watched = False
        if self._timer is not None:
            self._timer.cancel()

    def _look(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(INTERVAL_SECONDS, self._look)
        self._health.look()
