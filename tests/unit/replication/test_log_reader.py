# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""A node reads what it is behind, and serves calls meanwhile."""

from __future__ import annotations

import asyncio
from itertools import pairwise

from msgspec.msgpack import encode

from replication.log.clock import LoopClock
from replication.log.reader import LogReader
from replication.log.server import BEGINNING, MOST_ENTRIES, Entry, Position
from replication.log.status import LogStatus
from replication.messages import MAX_EVENTS, Push
from replication.paths import VERSION
from tests.unit.replication.raw_peer import Node


class Server:
    """A log server with entries of many events."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        writer = Node("b@1", capacity=MAX_EVENTS * MOST_ENTRIES)
        for number in range(MAX_EVENTS * 8):
            writer.add(f"r{number}")
        for first in range(1, writer.journal.latest, MAX_EVENTS):
            events, _ = writer.journal.read(first, MAX_EVENTS)
            self.entries.append(Entry(Position(1, first), encode(Push(VERSION, "b@1", first, 1, 0, events))))

    async def read(self, after: Position, wait_seconds: float) -> list[Entry]:
        found = [each for each in self.entries if each.position > after][:MOST_ENTRIES]
        if not found:
            await asyncio.Event().wait()
        return found


def test_others_have_their_turn_behind_each_large_entry() -> None:
    async def run() -> list[int]:
        node, server, clock = Node("a@1"), Server(), LoopClock()
        status = LogStatus(clock)
        nothing = lambda found, elapsed: None  # noqa: E731
        reader = LogReader(node.replica, server, status, clock, nothing, nothing)  # type: ignore[arg-type]
        reader.begin(BEGINNING, 0.0, BEGINNING)
        status.up.set()
        task = asyncio.create_task(reader.run())
        seen = [0]
        while seen[-1] < MAX_EVENTS * 8:
            await asyncio.sleep(0)
            seen.append(node.replica.taken_events)
        task.cancel()
        return seen

    seen = asyncio.run(run())
    assert max(after - before for before, after in pairwise(seen)) == MAX_EVENTS
