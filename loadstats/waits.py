# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Callers who wait for a cluster's answer to become another one. While there are any, their clusters' tags are looked
at 50 times a second, each once for all who wait for it; else nothing runs.

Owned by the event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from edge.errors import TooMany

INTERVAL_SECONDS = 0.02
LOOKS = 256  # clusters looked at in one turn: 0.1 ms
WAKES = 16  # callers woken in one turn: an answer of 1,000 engines takes 0.1 ms


class Waits:
    """`tag` tells a cluster's answers apart. At most `most` callers wait at a time."""

    def __init__(self, tag: Callable[[str], bytes], *, most: int) -> None:
        self.waiting = 0
        self._tag = tag
        self._most = most
        self._clusters: dict[str, dict[asyncio.Future[None], bytes]] = {}  # what each caller knows
        self._looker: asyncio.Task[None] | None = None
        self._ended = False

    async def change(self, cluster: str, tag: bytes, seconds: float) -> None:
        """Return when the tag is not this one, after so many seconds, or when the node stops. Raises TooMany."""
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
            await asyncio.wait((woken,), timeout=seconds)
        finally:
            self.waiting -= 1
            del callers[woken]
            if not callers:
                del self._clusters[cluster]
            if not self.waiting:
                self._looker.cancel()
                self._looker = None

    def end(self) -> None:
        """The node stops: nobody waits any more."""
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
            # Where there is more to do than fits into an interval, others still get their turn.
            await asyncio.sleep(max(INTERVAL_SECONDS - (loop.time() - began), INTERVAL_SECONDS / 5))


def _wake(woken: asyncio.Future[None]) -> None:
    if not woken.done():
        woken.set_result(None)
