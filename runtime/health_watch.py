# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Watches the parts of the node, so that what people read as "since" is when it happened. Runs on the event loop."""

from __future__ import annotations

import asyncio

from runtime.health import Health

INTERVAL_SECONDS = 1.0  # a change is dated at most this late
STARTING_SECONDS = 0.1  # a node that starts is waited for


class HealthWatch:
    """A probe of every part once a second, and more often while one is starting.

    It starts and stops with the server's loop.
    """

    def __init__(self, health: Health) -> None:
        self._health = health
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Look now and from now on."""
        self._health.watched = True
        self._look()

    async def stop(self) -> None:
        """Leave it to those who ask."""
        self._health.watched = False
        if self._timer is not None:
            self._timer.cancel()

    def _look(self) -> None:
        starting = self._health.look()
        seconds = STARTING_SECONDS if starting else INTERVAL_SECONDS
        self._timer = asyncio.get_running_loop().call_later(seconds, self._look)
