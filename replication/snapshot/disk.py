# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""A thread that does what may wait for a disk, so that nothing else has to.

Work is given to it by the event loop and done in order. It is a daemon: a disk that hangs must not keep a process that
has stopped from ending.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar

T = TypeVar("T")
Work = tuple[Callable[[], Any], "asyncio.Future[Any] | None"]


class DiskThread:
    """The thread, from `start` to `end`."""

    def __init__(self) -> None:
        self._work: SimpleQueue[Work | None] = SimpleQueue()
        self._thread = Thread(target=self._run, name="snapshot-disk", daemon=True)

    def start(self) -> None:
        """Begin to take work."""
        self._thread.start()

    async def do(self, work: Callable[[], T]) -> T:
        """Do a piece of work on the thread. Returns what it returns, or raises what it raises.

        A caller that is cancelled leaves: the work is done all the same.
        """
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._work.put((work, future))
        return await future

    def put(self, work: Callable[[], object]) -> None:
        """Do a piece of work after all that was given before. Whether it fails does not matter."""
        self._work.put((work, None))

    def end(self) -> None:
        """Let the thread end after the work that it has. Does not wait for it."""
        self._work.put(None)

    def _run(self) -> None:
        while (item := self._work.get()) is not None:
            work, future = item
            result, fault = None, None
            try:
                result = work()
            except Exception as error:
                fault = error
            if future is None:
                continue
            with suppress(RuntimeError):  # the loop has been closed
                future.get_loop().call_soon_threadsafe(_conclude, future, result, fault)


def _conclude(future: asyncio.Future[Any], result: Any, fault: Exception | None) -> None:
    if future.done():
        return
    if fault is None:
        future.set_result(result)
    else:
        future.set_exception(fault)
