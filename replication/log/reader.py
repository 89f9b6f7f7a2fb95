# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Reads the log and applies what other nodes appended. Owned by the event loop, read by any thread.

Entries may come twice and out of order: numbers decide, as on the mesh. `age_ms` is of the time when an entry was
appended. What has passed since is bounded by this node's own clock: by when it last stood at the end of the stream.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from math import inf

from msgspec.structs import replace

from edge.errors import InvalidInput
from replication.entities import Summary
from replication.log.clock import Clock
from replication.log.entries import Buckets, NoticesEntry, Unreadable, own_prefix, read_entry
from replication.log.server import BEGINNING, MOST_ENTRIES, Entry, LogError, LogServer, Position
from replication.log.status import LogStatus
from replication.push_reader import PushRead
from replication.replica import Replica

logger = logging.getLogger("replication.log")

WAIT_SECONDS = 1.0
# How much is taken between two turns of others: some hundred events, a millisecond. An entry counts for 1 KB at least.
TURN_BYTES = 16 * 1024
ENTRY_BYTES = 1024


class LogReader:
    """The place of this node in the stream.

    `position`: up to here all entries are taken.
    `begun`: set once it is known where to begin.
    `caught_up`: the last answer ended at the end of the stream.
    `read_entries`, `read_bytes`: how much was read.
    `passed_entries`: entries that could not be read or taken.
    `since_snapshot_entries`, `since_snapshot_bytes`: how much of it came after the latest snapshot known.

    `summary` takes a Summary, `buckets` Buckets and `notices` a NoticesEntry of another node, with the seconds since
    they were appended.
    """

    def __init__(
        self,
        replica: Replica,
        server: LogServer,
        status: LogStatus,
        clock: Clock,
        summary: Callable[[Summary, float], None],
        buckets: Callable[[Buckets, float], None],
        notices: Callable[[NoticesEntry, float], None] = lambda found, elapsed: None,
    ) -> None:
        self._replica = replica
        self._server = server
        self._status = status
        self._clock = clock
        self._summary = summary
        self._buckets = buckets
        self._notices = notices
        self._own = own_prefix(replica.origin)
        self._at_end = -inf  # when it last stood at the end: all that comes was appended later
        self.begun = clock.flag()
        self.position = BEGINNING
        self.caught_up = False
        self.read_entries = 0
        self.read_bytes = 0
        self.passed_entries = 0
        self.since_snapshot_entries = 0
        self.since_snapshot_bytes = 0
        self.lag_seconds = 0.0
        self._again = BEGINNING

    def begin(self, position: Position, oldest_seconds: float, mended: Position) -> None:
        """Go on from a position. What comes was appended `oldest_seconds` ago at the most. Repairs up to `mended` are
        passed over: nodes that live have compared since. What an old one holds may have ended, and been forgotten."""
        self.position = position
        self._again = mended
        self.caught_up = False
        self._at_end = self._clock.now() - oldest_seconds
        self.begun.set()

    def begin_anew(self, last: Position) -> None:
        """Read all of another generation: positions of the one before mean nothing in it. What is in it up to `last`
        may have come before."""
        self.position = BEGINNING
        self.caught_up = False
        self._again = last

    async def run(self) -> None:
        """Read for ever."""
        await self.begun.wait()
        while True:
            await self._status.up.wait()
            after, asked = self.position, self._clock.now()
            try:
                entries = await self._server.read(after, WAIT_SECONDS)
            except LogError as error:
                self._status.failed(error)
                continue
            if self.position != after:
                continue  # another generation began meanwhile
            taken = 0
            for entry in entries:
                self._take(entry)
                taken += max(ENTRY_BYTES, len(entry.body))
                if taken >= TURN_BYTES:
                    taken = 0
                    await self._clock.sleep(0)
                    if self.position != entry.position:
                        break
            else:
                if len(entries) < MOST_ENTRIES:
                    self._at_end = asked
                    self.caught_up = True
                else:
                    self.caught_up = False

    def _take(self, entry: Entry) -> None:
        body = entry.body
        self.position = entry.position
        self.read_entries += 1
        self.read_bytes += len(body)
        self.since_snapshot_entries += 1
        self.since_snapshot_bytes += len(body)
        if not body or body.startswith(self._own):
            return
        now = self._clock.now()
        elapsed = self._status.elapsed_seconds(entry.position.ms, now - self._at_end)
        self.lag_seconds = elapsed
        try:
            found = read_entry(body)
            if isinstance(found, PushRead):
                self._push(found, elapsed, now)
            elif isinstance(found, NoticesEntry):
                self._notices(found, elapsed)
            elif found.origin != self._replica.origin and entry.position > self._again:
                self._repair(found, elapsed)
        except (Unreadable, InvalidInput) as error:
            self.passed_entries += 1
            logger.debug("an entry is passed over: %s", error)

    def _push(self, found: PushRead, elapsed: float, now: float) -> None:
        push = found.push
        if push.first + len(push.events) - 1 <= self._replica.seen(push.origin):
            return  # it has come before
        if elapsed >= 1:
            push = replace(push, age_ms=push.age_ms + int(elapsed * 1000))
        self._replica.take(push, now, self._clock.wall_ns(), found.unread, mesh=False)

    def _repair(self, found: Summary | Buckets, elapsed: float) -> None:
        if isinstance(found, Summary):
            self._summary(found, elapsed)
        else:
            self._buckets(found, elapsed)
