# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""One socket's place in a stream: the few messages that wait for it, and what to do when it missed some.

Owned by one event loop. Never holds more than `BACKLOG` messages: a socket that is too slow for them loses the oldest,
sees the gap in the versions and gets a snapshot instead of what it missed. Whatever else loses messages on their way
(a channel layer that is full or away) is healed the same way.
"""

from __future__ import annotations

from asyncio import Event
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

BACKLOG = 4


class News(NamedTuple):
    """One message of a stream. `changes` lead from the version before to theirs; the others tell which is newest."""

    kind: str  # snapshot, changes or alive
    version: int
    text: str

    @property
    def follows(self) -> int:
        """The version that it is for."""
        return self.version - (self.kind == "changes")


class Seat:
    """`snapshot` gives the stream as it is now; `fell_back` is called when a socket had to be given one again."""

    def __init__(self, snapshot: Callable[[], News], fell_back: Callable[[], None]) -> None:
        self._snapshot = snapshot
        self._fell_back = fell_back
        self._inbox: deque[News] = deque(maxlen=BACKLOG)
        self._arrived = Event()
        self._version = 0  # the socket's; 0 before its first snapshot

    def put(self, news: News) -> None:
        """A message for the socket. Never blocks."""
        self._inbox.append(news)
        self._arrived.set()

    async def next(self) -> News:
        """What to send next."""
        if not self._version:
            return self._begin()
        while True:
            while self._inbox:
                news = self._inbox.popleft()
                if news.follows == self._version:
                    self._version = news.version
                    return news
                if news.version > self._version:
                    self._fell_back()
                    return self._begin()
            self._arrived.clear()
            await self._arrived.wait()

    def _begin(self) -> News:
        news = self._snapshot()
        self._version = news.version
        return news
