# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Calls that wait for a cluster's answer to change. Owned by the event loop.

While there are any, the tags of their clusters are read 50 times a second, each once for all calls that wait for it.
Without such calls nothing runs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from edge.caller import Caller
from edge.errors import TooMany, Unauthorized
from edge.lasting import Lasting

INTERVAL_SECONDS = 0.02
LOOKS = 256  # clusters looked at in one slice: 0.1 ms
WAKES = 16  # callers woken in one slice: an answer of 1,000 engines takes 0.1 ms


class Waits:
    """The calls that wait.

    `tag`: returns the tag of a cluster's answer as it is now.
    `most`: how many calls may wait at a time.
    `lasting`: ends the calls of callers whose key or session ends.
    `waiting`: how many wait now.
    """

    def __init__(self, tag: Callable[[str], bytes], *, most: int, lasting: Lasting | None = None) -> None:
        self.waiting = 0
        self._lasting = Lasting() if lasting is None else lasting
        self._tag = tag
        self._most = most
        self._clusters: dict[str, dict[asyncio.Future[None], bytes]] = {}  # what each caller knows
        self._looker: asyncio.Task[None] | None = None
        self._ended = False

    async def change(self, cluster: str, tag: bytes, seconds: float, caller: Caller | None = None) -> None:
        """Return when the tag is not this one, after this many seconds, or when the node stops.

        Raises TooMany, and Unauthorized if the caller's key or session ends meanwhile.
        """
        if self._ended:
            return
        if self.waiting >= self._most:
            raise TooMany(f"wait: as many calls wait here as may, {self._most}")
        loop = asyncio.get_running_loop()
        woken: asyncio.Future[None] = loop.create_future()
        callers = self._clusters.setdefault(cluster, {})
        callers[woken] = tag
        self.waiting += 1
        if self._looker is None:
            self._looker = loop.create_task(self._look())
        try:
            with self._lasting.during(caller, lambda: _refuse(woken)):
                await asyncio.wait((woken,), timeout=seconds)
            if woken.done():
                woken.result()
        finally:
            self.waiting -= 1
            del callers[woken]
            if not callers:
                del self._clusters[cluster]
            if not self.waiting:
                self._looker.cancel()
                self._looker = None

    def end(self) -> None:
        """Wake all that wait, for the node stops."""
        self._ended = True
        for callers in self._clusters.values():
            for woken in callers:
                _wake(woken)

    async def _look(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            for number, cluster in enumerate(list(self._clusters), 1):
                tag = self._tag(cluster)
                late = [woken for woken, known in self._clusters.get(cluster, {}).items() if known != tag]
                for place, woken in enumerate(late, 1):
                    _wake(woken)
                    if place % WAKES == 0:
                        await asyncio.sleep(0)
                if number % LOOKS == 0:
                    await asyncio.sleep(0)
            # If there is more to do than fits into an interval, other work still gets its time.
            await asyncio.sleep(max(INTERVAL_SECONDS - (loop.time() - began), INTERVAL_SECONDS / 5))


def _refuse(woken: asyncio.Future[None]) -> None:
    if not woken.done():
        woken.set_exception(Unauthorized("the key or the log-in has ended while the call waited"))


def _wake(woken: asyncio.Future[None]) -> None:
    if not woken.done():
        woken.set_result(None)
