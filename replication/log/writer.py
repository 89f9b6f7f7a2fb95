# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Appends this node's events to the log: each push as one entry. Owned by the event loop; `on_append` is any thread's.

One append is under way at a time. While it is, the next events gather; at low rates each goes at once. What the log
server said OK to may be lost with it. So what a present node lacks that has read past its place is appended again.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Set
from typing import Any

from replication.entities import Event
from replication.journal import Journal
from replication.log.clock import Clock
from replication.log.pace import Pace
from replication.log.roster import Roster
from replication.log.server import BEGINNING, LogError, LogFull, LogServer, Position
from replication.log.status import LogStatus
from replication.messages import MAX_EVENTS, Push
from replication.paths import VERSION
from replication.push_writer import PushWriter

FULL_SECONDS = 0.25  # between two attempts while the log server is full


class StreamWriter:
    """The end of this node's journal that is not in the log yet.

    `own`: the position of the last entry of this node; None before the first of a generation.
    `appended_entries`, `appended_events`, `appended_bytes`: how much was appended.
    `repeated_events`: how many of those events had been appended before.

    `for_peer` returns events as nodes with some features understand them. `make_room` is called when the log server is
    full. `observe` is called with each lag.
    """

    def __init__(
        self,
        journal: Journal,
        server: LogServer,
        status: LogStatus,
        roster: Roster,
        clock: Clock,
        for_peer: Callable[[list[Event], Set[str]], list[Event]],
        make_room: Callable[[], Any],
        observe: Callable[[float], None] = lambda seconds: None,
    ) -> None:
        self._journal = journal
        self._server = server
        self._status = status
        self._roster = roster
        self._clock = clock
        self._for_peer = for_peer
        self._make_room = make_room
        self._observe = observe
        self._news = clock.flag()
        self._pace = Pace()
        self._next = 1  # the event that is to be appended next
        self._furthest = 0  # the last event that was ever appended
        # Where the journal's events are: the first of each entry, and its position. Later entries stand over earlier.
        self._firsts: list[int] = []
        self._positions: list[Position] = []
        self.push_writer = PushWriter()
        self.idle = False
        self.own: Position | None = None
        self.appended_entries = 0
        self.appended_events = 0
        self.appended_bytes = 0
        self.repeated_events = 0

    @property
    def appended(self) -> int:
        """The last event before which all are in the log, as far as the log server said."""
        return self._next - 1

    @property
    def lag_events(self) -> int:
        """How many events are not appended yet."""
        return self._journal.latest - self.appended

    def lag_seconds(self) -> float:
        """Return how long the oldest event waits to be appended; 0 if none does. From any thread."""
        taken = self._journal.taken_at(max(self._next, self._journal.oldest)) if self.lag_events > 0 else None
        return 0.0 if taken is None else max(0.0, self._clock.now() - taken)

    def wake(self) -> None:
        """Note that the journal has something new."""
        self._news.set()

    async def run(self) -> None:
        """Append for ever."""
        while True:
            await self._status.up.wait()
            push = self._push()
            if push is None:
                self._news.clear()
                self.idle = True
                if not self.lag_events:  # else it came before this could be seen to wait
                    await self._news.wait()
                self.idle = False
                continue
            await self._append(push)

    async def _append(self, push: Push) -> None:
        body = self.push_writer.write(push, self._clock.now())
        try:
            position = await self._server.append(body)
        except LogFull as error:
            self._status.full_up(error)
            await self._make_room()
            await self._clock.sleep(FULL_SECONDS)
        except LogError as error:
            self._status.failed(error)
        else:
            self._status.roomy()
            self._appended(push, position, len(body))
            if seconds := self._pace.wait_seconds(len(push.events), self._clock.now()):
                await self._clock.sleep(seconds)

    def _push(self) -> Push | None:
        """Return what is to be appended next; None if that is nothing."""
        journal = self._journal
        first = max(self._next, journal.oldest)
        self._next = first
        if first > journal.latest:
            return None
        events, taken = journal.read(first, MAX_EVENTS)
        later_seconds = journal.later_seconds(first, len(events))
        self._pace.begins(self._clock.now())
        age_ms = max(0, int((self._clock.now() - taken) * 1000))
        events = self._for_peer(events, self._roster.features())
        return Push(VERSION, journal.origin.name, first, journal.oldest, age_ms, events, later_seconds)

    def _appended(self, push: Push, position: Position, size: int) -> None:
        last = push.first + len(push.events) - 1
        self.appended_entries += 1
        self.appended_events += len(push.events)
        self.appended_bytes += size
        self.repeated_events += max(0, min(self._furthest, last) + 1 - push.first)
        taken = self._journal.taken_at(push.first)
        if last > self._furthest and taken is not None:
            self._observe(max(0.0, self._clock.now() - taken))
        self._furthest = max(self._furthest, last)
        self.own = position
        if self._next >= push.first:  # else it was sent back meanwhile
            self._next = max(self._next, last + 1)
            self._firsts.append(push.first)
            self._positions.append(position)

    # What others lack

    def look(self, generation: str) -> None:
        """Append again what a present node lacks although it has read past its place."""
        journal = self._journal
        for known in self._roster.present():
            latest = known.latest
            first = self._roster.seen(known) + 1
            if latest.generation != generation or first >= self._next or first < journal.oldest:
                continue
            if latest.at >= self._place(first):
                self._send_back(first)

    def begin_anew(self) -> None:
        """Append again what present nodes lack: the log that they were in is lost."""
        self._firsts.clear()
        self._positions.clear()
        self.own = None
        self._send_back(self._roster.acknowledged(self.appended) + 1)

    def trim(self) -> None:
        """Forget where events are that the journal has dropped."""
        at = bisect_right(self._firsts, self._journal.oldest) - 1
        if at > 256:
            del self._firsts[:at]
            del self._positions[:at]

    def _place(self, number: int) -> Position:
        """Return the position of the entry with an event; the beginning if that is not known."""
        at = bisect_right(self._firsts, number) - 1
        return self._positions[at] if at >= 0 else BEGINNING

    def _send_back(self, first: int) -> None:
        """Go on from an event that was appended before."""
        if first < self._next:
            self._next = max(first, self._journal.oldest)
            at = bisect_right(self._firsts, self._next - 1)
            del self._firsts[at:]
            del self._positions[at:]
            self.wake()
