# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""A connection to a log server that is opened when it is needed, and again after a fault. Owner: the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from replication.log.server import LogAway
from replication.log.valkey.wire import Wire, Word


class LogConnection:
    """Sends commands over a connection that opens by itself.

    Several calls that find it closed wait for the same attempt.
    """

    def __init__(self, dial: Callable[[], Awaitable[Wire]]) -> None:
        self._dial = dial
        self._wire: Wire | None = None
        self._opening: asyncio.Task[Wire] | None = None

    async def ask(self, *words: Word, wait_seconds: float = 0.0) -> Any:
        """Send a command and return its reply. Raises a LogError. `wait_seconds`: the reply may be so much later."""
        wire = self._wire
        if wire is None or not wire.open:
            wire = await self._open()
        try:
            return await wire.send(*words, wait_seconds=wait_seconds)
        except LogAway as fault:
            wire.close(fault)  # a replica, or one that loads: another connection may find the server
            raise

    def drop_cancelled(self) -> None:
        """Drop the connection if a call that was cancelled still waits for its reply there."""
        if self._wire is not None and self._wire.waits_in_vain:
            self._wire.close()

    def close(self) -> None:
        """Drop the connection. Calls that wait for a reply raise LogAway."""
        if self._opening is not None:
            self._opening.cancel()
            self._opening = None
        if self._wire is not None:
            self._wire.close()
            self._wire = None

    async def _open(self) -> Wire:
        opening = self._opening
        if opening is None:
            opening = self._opening = asyncio.create_task(self._opened())
            opening.add_done_callback(self._finished)
        try:
            return await asyncio.shield(opening)
        except asyncio.CancelledError:
            caller = asyncio.current_task()
            if caller is not None and caller.cancelling():
                raise
            raise LogAway("the connection was closed") from None

    async def _opened(self) -> Wire:
        wire = await self._dial()
        self._wire = wire
        return wire

    def _finished(self, opening: asyncio.Task[Wire]) -> None:
        if self._opening is opening:
            self._opening = None
        if not opening.cancelled():
            opening.exception()  # retrieved, also if all who waited were cancelled
