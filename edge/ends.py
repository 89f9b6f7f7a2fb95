# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Connections that their clients have ended. A few are closed in each turn of the loop, the others wait.

Closing one takes 50 µs. A client that ends all its connections at once would else hold the loop for as long as its
thousands take: 220 ms for 3,000. One that waits is not read any more.

Owned by the event loop.
"""

from __future__ import annotations

from asyncio import get_running_loop
from collections import deque
from typing import Protocol

MOST = 16  # in a turn


class Closable(Protocol):
    """What a connection's bytes go through."""

    def close(self) -> None: ...


class Ends:
    """The connections that wait to be closed, the first that was ended first."""

    def __init__(self) -> None:
        self._waiting: deque[Closable] = deque()
        self._room = MOST  # in this turn

    def __len__(self) -> int:
        return len(self._waiting)

    def wait(self, transport: Closable) -> bool:
        """Note that a client has ended its connection. Returns whether it is closed later, False if it may be now."""
        if self._room == MOST:
            get_running_loop().call_soon(self._turn)
        if self._room:
            self._room -= 1
            return False
        self._waiting.append(transport)
        return True

    def _turn(self) -> None:
        """Begin a turn, and close as many as it has room for."""
        self._room = MOST
        while self._waiting and self._room:
            self._room -= 1
            self._waiting.popleft().close()
        if self._room < MOST:
            get_running_loop().call_soon(self._turn)
