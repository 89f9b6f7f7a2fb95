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
from .cluster import ReplayCluster
from .engines import ReplayEngine
from .expectations import Difference, Expectations

# A node that is wrong is wrong at every checkpoint from then on; the first differences tell the story.
KEPT_DIFFERENCES = 100
SETTLE_SECONDS = 2.0
# At the end: as long as a node that was killed and restarted may take to be ready. A node's own cap is 10 s.
READY_SECONDS = 15.0
_POLL_SECONDS = 0.002
_READY_POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class FoundDifference:
    """The differences found at one checkpoint."""

    checkpoint: int
    target: str
    cluster: str
    difference: Difference


@dataclass(frozen=True, slots=True)
class Look:
    """One node at one checkpoint: its rows and the differences.

    If it took no requests it has no rows, and `skipped` says why.
    """

    rows: list[ReplayEngine] | None
    found: list[FoundDifference]
    seconds: float = 0.0
    skipped: str = ""


@dataclass(slots=True)
class Witness:
    """One node over all checkpoints. `settled` has the seconds until it agreed, once for each time."""

    node: NodeClient
    passed: int = 0
    differed: int = 0
    settled: list[float] = field(default_factory=list)
    # The number of each checkpoint it was left out of, and why.
    skipped: dict[int, str] = field(default_factory=dict)


class Checkpoints:
    """Takes checkpoints of the nodes and keeps their results."""

    def __init__(
        self,
        nodes: Mapping[str, NodeClient],
        clusters: Sequence[ReplayCluster],
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
        self.first_differences: list[FoundDifference] = []
        # Of the engine with the most queued requests over the mean of all engines, one a checkpoint.
        self.imbalance: list[float] = []

    async def every(self, seconds: float, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        """Take a checkpoint every `seconds` until cancelled."""
        while True:
            await sleep(seconds)
            await self.take()

    async def take(self) -> None:
        """Compare the nodes' numbers with the client's count now."""
        try:
            await self._clock.stop()
            await self._compare({each.name: each.expectations for each in self._clusters})
        finally:
            self._clock.go()

    async def take_last(self) -> None:
        """Take the last checkpoint: every node must answer and show zeros, whatever failed before."""
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
        number = self.taken + 1
        seen = await asyncio.gather(
            *(self._look(number, target, each.node, expected) for target, each in self.witnesses.items())
        )
        # Only now: a checkpoint that the end of the replay cuts short was not taken.
        self.taken = number
        for witness, look in zip(self.witnesses.values(), seen, strict=True):
            self._book(witness, look)
        there = [look for look in seen if look.rows is not None]
        self.passed += bool(there) and not any(look.found for look in seen)
        if there:
            engines = [engine for cluster in self._clusters for engine in cluster.engines]
            if (ratio := imbalance(there[0].rows or [], engines)) is not None:
                self.imbalance.append(ratio)

    def _book(self, witness: Witness, look: Look) -> None:
        if look.rows is None:
            witness.skipped[self.taken] = look.skipped
        elif look.found:
            witness.differed += 1
        else:
            witness.passed += 1
            witness.settled.append(look.seconds)
        self.differences += len(look.found)
        self.first_differences += look.found[: KEPT_DIFFERENCES - len(self.first_differences)]

    async def _look(self, number: int, target: str, node: NodeClient, expected: Mapping[str, Expectations]) -> Look:
        """Return what a node shows once it agrees, or when its time is up."""
        began = self._read_clock()
        while True:
            try:
                await node.ready()
                shown = await asyncio.gather(*(node.query(name) for name in expected))
            except CallFailed as error:
                return Look(None, [], skipped=str(error))
            found = [
                FoundDifference(number, target, name, difference)
                for (name, expectations), rows in zip(expected.items(), shown, strict=True)
                for difference in expectations.differences(rows)
            ]
            took = self._read_clock() - began
            if not found or took >= self._settle_seconds:
                return Look([row for rows in shown for row in rows], found, seconds=took)
            await asyncio.sleep(_POLL_SECONDS)


def imbalance(rows: Sequence[ReplayEngine], engines: Sequence[str]) -> float | None:
    """The most queued requests of an engine over the mean of all. 1 is perfect balance.

    None with fewer requests than engines: then even the best balance leaves some engines idle.
    """
    queued = {row.ip: row.queued_req_num for row in rows}
    counts = [queued.get(engine, 0) for engine in engines]
    total = sum(counts)
    return max(counts) * len(engines) / total if total >= len(engines) else None
