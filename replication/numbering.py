# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The journal of a node that is alone. On the event loop, its reader.

Such a node numbers its events too: what it holds has dots, and is in digests and repairs once it has peers. The events
themselves are for its tail alone, so the journal is kept short.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

TRIM_SECONDS = 0.5


class Numbering:
    """From `start` on clients' events are numbered. `begin` and `end` connect the journal, `trim` keeps it short."""

    def __init__(self, begin: Callable[[], None], trim: Callable[[], None], end: Callable[[], None]) -> None:
        self._begin = begin
        self._trim = trim
        self._end = end
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to number."""
        self._begin()
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """Number no more."""
        self._end()
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(TRIM_SECONDS)
            self._trim()
