# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Checkpoints: everything stands still, and each node must show what the client counted. Owned by the replay's loop.

A single node must show it at once. Several nodes tell each other first, so each may take `settle_seconds`; how long it
took is noted. A node that takes no requests is left out, but not at the end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from .client import CallFailed, NodeClient
from .clock import PlayClock
from .cluster import Cluster
from .engines import EngineLoad
from .expectations import Difference, Expectations

# A node that is wrong is wrong at every checkpoint from then on; the first differences tell the story.
KEPT_DIFFERENCES = 100
SETTLE_SECONDS = 2.0
# At the end: as long as a node that was killed and started anew may take to be ready. A node's own cap is 10 s.
READY_SECONDS = 15.0
_POLL_SECONDS = 0.002
_READY_POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Found:
    """What differed where, at the checkpoint of this number."""

    checkpoint: int
    target: str
    cluster: str
    difference: Difference


@dataclass(slots=True)
class Witness:
    """One node as the checkpoints saw it. `settled` are the seconds it took to agree, one for each time it did."""

    node: NodeClient
    passed: int = 0
    differed: int = 0
    settled: list[float] = field(default_factory=list)
    # The number of each checkpoint it was left out of, and why.
    skipped: dict[int, str] = field(default_factory=dict)


class Checkpoints:
    """Takes checkpoints of the nodes by their targets, and keeps what they found."""

    def __init__(
        self,
        nodes: Mapping[str, NodeClient],
        clusters: Sequence[Cluster],
        clock: PlayClock,
        read_clock: Callable[[], float],
        *,
        settle_seconds: float = SETTLE_SECONDS,
        ready_seconds: float = READY_SECONDS,
    ) -> None:
        self.witnesses = {target: Witness(node) for target, node in nodes.items()}
        self._clusters = clusters
        self._clock = clock
        self._read_clock = read_clock
        self._settle_seconds = settle_seconds if len(nodes) > 1 else 0.0
        self._ready_seconds = ready_seconds
        self.taken = 0
        self.passed = 0
        self.differences = 0
        # Targets of nodes that took no requests at the end.
        self.missing: list[str] = []
        self.first_differences: list[Found] = []
        # Of the engine with the most queued requests over the mean of all engines, one a checkpoint.
        self.imbalance: list[float] = []

    async def every(self, seconds: float, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """Take one after each `seconds`, until cancelled."""
        while True:
            await sleep(seconds)
            await self.take()

    async def take(self) -> None:
        """Compare the nodes' numbers with the client's count, now."""
        try:
            await self._clock.stop()
            await self._compare({each.name: each.expectations for each in self._clusters})
        finally:
            self._clock.go()

    async def take_last(self) -> None:
        """All requests are over: all nodes must be there and show zeros, whatever failed before."""
        await asyncio.gather(*(self._await_ready(each) for each in self.witnesses.values()))
        await self._compare({each.name: Expectations() for each in self._clusters})
        self.missing = [target for target, each in self.witnesses.items() if self.taken in each.skipped]

    async def _await_ready(self, witness: Witness) -> None:
        ends = self._read_clock() + self._ready_seconds
        while self._read_clock() < ends:
            try:
                await witness.node.ready()
            except CallFailed:
                await asyncio.sleep(_READY_POLL_SECONDS)
            else:
                return

    async def _compare(self, expected: Mapping[str, Expectations]) -> None:
        self.taken += 1
        looks = (self._look(target, witness, expected) for target, witness in self.witnesses.items())
        seen = await asyncio.gather(*looks)
        agreed = [rows for rows, found in seen if rows is not None and not found]
        self.passed += bool(agreed) and not any(found for _, found in seen)
        for _, found in seen:
            self.differences += len(found)
            self.first_differences += found[: KEPT_DIFFERENCES - len(self.first_differences)]
        for rows, _ in seen:
            if rows is not None:
                engines = [engine for cluster in self._clusters for engine in cluster.engines]
                if (ratio := imbalance(rows, engines)) is not None:
                    self.imbalance.append(ratio)
                break

    async def _look(
        self, target: str, witness: Witness, expected: Mapping[str, Expectations]
    ) -> tuple[list[EngineLoad] | None, list[Found]]:
        """What a node shows once it agrees or its time is up, and what differs then. None: it takes no requests."""
        began = self._read_clock()
        while True:
            try:
                await witness.node.ready()
                shown = await asyncio.gather(*(witness.node.query(name) for name in expected))
            except CallFailed as error:
                witness.skipped[self.taken] = str(error)
                return None, []
            found = [
                Found(self.taken, target, name, difference)
                for (name, expectations), rows in zip(expected.items(), shown, strict=True)
                for difference in expectations.differences(rows)
            ]
            took = self._read_clock() - began
            if not found:
                witness.passed += 1
                witness.settled.append(took)
            elif took >= self._settle_seconds:
                witness.differed += 1
            else:
                await asyncio.sleep(_POLL_SECONDS)
                continue
            return [row for rows in shown for row in rows], found


def imbalance(rows: Sequence[EngineLoad], engines: Sequence[str]) -> float | None:
    """The most queued requests of an engine over the mean of all. 1 is perfect balance.

    None with fewer requests than engines: then even the best balance leaves some engines idle.
    """
    queued = {row.ip: row.queued_req_num for row in rows}
    counts = [queued.get(engine, 0) for engine in engines]
    total = sum(counts)
    return max(counts) * len(engines) / total if total >= len(engines) else None
