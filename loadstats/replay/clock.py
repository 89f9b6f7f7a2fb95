# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The clock of a replay: seconds played, which stand still while a checkpoint counts.

Owned by the replay's loop. Calls to the node go through `call()`; while the clock is stopped none begins, and once
`stop()` has returned none is in flight, so what the client counted is what the node must show.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager


class PlayClock:
    """Counts played seconds. `read` returns real seconds from any zero; `sleep` waits for real seconds."""

    def __init__(self, read: Callable[[], float], sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self._read = read
        self._sleep = sleep
        self._zero = read()
        self._stopped_at: float | None = None
        self._running = asyncio.Event()
        self._running.set()
        self._calls = 0
        self._idle = asyncio.Event()
        self._idle.set()

    def now(self) -> float:
        """Return the seconds played since the start, without pauses."""
        return (self._read() if self._stopped_at is None else self._stopped_at) - self._zero

    async def until(self, due: float) -> None:
        """Wait until `due` seconds have been played."""
        while (left := due - self.now()) > 0:
            await self._sleep(left)
            await self._running.wait()

    @asynccontextmanager
    async def call(self) -> AsyncIterator[None]:
        """Wrap a call to a node: wait while the clock is stopped."""
        while not self._running.is_set():
            await self._running.wait()
        self._calls += 1
        self._idle.clear()
        try:
            yield
        finally:
            self._calls -= 1
            if not self._calls:
                self._idle.set()

    async def stop(self) -> None:
        """Stop the clock. No new call begins, and all in flight have ended when this returns."""
        if self._stopped_at is None:
            self._stopped_at = self._read()
            self._running.clear()
        await self._idle.wait()

    def go(self) -> None:
        """Start the clock again."""
        if self._stopped_at is not None:
            self._zero += self._read() - self._stopped_at
            self._stopped_at = None
            self._running.set()
