# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The few threads that make pages, and the bounded queue before them.

The loop shares one interpreter with them, so their number is what pages can take from calls. Owned by the event loop;
only the work itself runs on the threads.

Always holds: no more pages are worked on than there are threads, whether their clients still wait or not.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from asgiref.sync import sync_to_async

from edge.places import UNBOUNDED, Places

T = TypeVar("T")


class NoRoom(Exception):
    """As many pages wait as may."""


class PageThreads:
    """Threads and their queue.

    `threads`: how many pages are worked on at a time.
    `queue`: how many more may wait.
    `places`: of clients, for pages that are not answered yet. Without, one client may take all.
    `refused`: pages for which there was no room.
    `dropped`: pages whose client left before their turn.
    """

    def __init__(self, threads: int, queue: int, places: Places | None = None, *, name: str = "page") -> None:
        self.places = Places("pages", "Pages", UNBOUNDED) if places is None else places
        self.refused = 0
        self.dropped = 0
        self._threads = threads
        self._queue = queue
        self._free = threads
        self._waiting: dict[asyncio.Future[None], None] = {}  # their turns, the first first
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix=name)

    @property
    def waiting(self) -> int:
        """How many pages wait for a thread."""
        return len(self._waiting)

    @property
    def working(self) -> int:
        """How many pages are worked on."""
        return self._threads - self._free

    async def run(self, work: Callable[[], T], left: asyncio.Future[None], *, begun: bool = False) -> T | None:
        """Return what `work` returns. None if the client is gone, which ends `left`, before its turn comes.

        Raises NoRoom at once where there is no room. What has `begun` is a page's next piece: it waits where there is
        none. Work that has begun goes on to its end, whoever leaves.
        """
        if not await self._turn(left, begun=begun):
            self.dropped += 1
            return None
        try:
            return await sync_to_async(work, thread_sensitive=False, executor=self._executor)()
        finally:
            self._pass_on()

    def close(self) -> None:
        """End the threads once they are idle. Nothing may be run after that."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    async def _turn(self, left: asyncio.Future[None], *, begun: bool) -> bool:
        """Wait for a thread. Returns whether there is one, else the client has left. Raises NoRoom."""
        if left.done():
            return False
        if self._free:
            self._free -= 1
            return True
        if len(self._waiting) >= self._queue and not begun:
            self.refused += 1
            raise NoRoom
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[turn] = None
        given = False
        try:
            await asyncio.wait((turn, left), return_when=asyncio.FIRST_COMPLETED)
            given = turn.done() and not left.done()
        finally:
            self._waiting.pop(turn, None)
            if turn.done() and not given:
                self._pass_on()
        return given

    def _pass_on(self) -> None:
        """Give a thread that is free to the page that has waited longest, if one waits."""
        turn = next(iter(self._waiting), None)
        if turn is None:
            self._free += 1
        else:
            del self._waiting[turn]
            turn.set_result(None)
