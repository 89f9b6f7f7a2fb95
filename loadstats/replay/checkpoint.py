# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Checkpoints: everything stands still, and the node must show what the client counted. Owned by the replay's loop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from .client import CallFailed, NodeClient
from .clock import PlayClock
from .engines import EngineLoad
from .expectations import Difference, Expectations

# A node that is wrong is wrong at every checkpoint from then on; the first differences tell the story.
KEPT_DIFFERENCES = 100


class Checkpoints:
    """Takes checkpoints and keeps what they found."""

    def __init__(
        self, client: NodeClient, expectations: Expectations, clock: PlayClock, engines: Sequence[str]
    ) -> None:
        self._client = client
        self._expectations = expectations
        self._clock = clock
        self._engines = engines
        self.taken = 0
        self.passed = 0
        self.differences = 0
        # The number of the checkpoint, and what differed.
        self.first_differences: list[tuple[int, Difference]] = []
        # Of the engine with the most queued requests over the mean of all engines, one a checkpoint.
        self.imbalance: list[float] = []

    async def every(self, seconds: float, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """Take one after each `seconds`, until cancelled."""
        while True:
            await sleep(seconds)
            await self.take()

    async def take(self) -> None:
        """Compare the node's numbers with the client's count, now."""
        try:
            await self._clock.stop()
            await self._compare(self._expectations)
        finally:
            self._clock.go()

    async def take_last(self) -> None:
        """All requests are over: the node must show zeros, whatever failed before."""
        await self._compare(Expectations())

    async def _compare(self, expectations: Expectations) -> None:
        try:
            rows = await self._client.query()
        except CallFailed:
            self.taken += 1
            return
        self.taken += 1
        found = expectations.differences(rows)
        self.passed += not found
        self.differences += len(found)
        room = KEPT_DIFFERENCES - len(self.first_differences)
        self.first_differences += [(self.taken, difference) for difference in found[:room]]
        if (ratio := imbalance(rows, self._engines)) is not None:
            self.imbalance.append(ratio)


def imbalance(rows: Sequence[EngineLoad], engines: Sequence[str]) -> float | None:
    """The most queued requests of an engine over the mean of all. 1 is perfect balance.

    None with fewer requests than engines: then even the best balance leaves some engines idle.
    """
    queued = {row.ip: row.queued_req_num for row in rows}
    counts = [queued.get(engine, 0) for engine in engines]
    total = sum(counts)
    return max(counts) * len(engines) / total if total >= len(engines) else None
