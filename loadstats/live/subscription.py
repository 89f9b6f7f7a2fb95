# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""One socket's subscription to a stream: the few messages that wait for the socket.

Owned by one event loop. It never holds more than `BACKLOG` messages. A socket that is too slow loses the oldest, and
gets a snapshot when a version is missing. The same heals messages that a channel layer lost.
"""

from __future__ import annotations

from asyncio import Event
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

BACKLOG = 4


class Message(NamedTuple):
    """One message of a stream.

    `kind`: snapshot, changes or alive.
    `version`: of the stream after this message.
    `text`: what the socket is sent.
    """

    kind: str
    version: int
    text: str

    @property
    def follows(self) -> int:
        """The version that a socket must have before it takes this message."""
        return self.version - (self.kind == "changes")


class Subscription:
    """The messages that wait for one socket.

    `snapshot`: returns the stream as it is now.
    `fell_back`: called when a socket needs a snapshot again.
    """

    def __init__(self, snapshot: Callable[[], Message], fell_back: Callable[[], None]) -> None:
        self._snapshot = snapshot
        self._fell_back = fell_back
        self._inbox: deque[Message] = deque(maxlen=BACKLOG)
        self._arrived = Event()
        self._version = 0  # the socket's; 0 before its first snapshot

    def put(self, message: Message) -> None:
        """Add a message for the socket. Never blocks."""
        self._inbox.append(message)
        self._arrived.set()

    async def next(self) -> Message:
        """Wait for the next message to send, and return it."""
        if not self._version:
            return self._begin()
        while True:
            while self._inbox:
                message = self._inbox.popleft()
                if message.follows == self._version:
                    self._version = message.version
                    return message
                if message.version > self._version:
                    self._fell_back()
                    return self._begin()
            self._arrived.clear()
            await self._arrived.wait()

    def _begin(self) -> Message:
        message = self._snapshot()
        self._version = message.version
        return message
