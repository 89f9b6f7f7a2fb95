# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What the log carries beside the entities: notices as entries, notices and the history of load in its snapshots.

On the event loop. All of it may come twice or be lost: nothing that is counted hangs on it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable

from replication.history import SharedHistory
from replication.log.clock import Clock
from replication.log.entries import NoticesEntry, notices_entry
from replication.log.roster import Roster
from replication.log.server import LogError, LogServer
from replication.log.status import LogStatus
from replication.notices import ASK_SECONDS, LAST_COPIES
from replication.paths import VERSION
from replication.push_reader import UNREADABLE
from replication.snapshot.kept_notices import kept_notices, take_kept
from runtime.notices.log import MOST_COPIES, NoticeLog

logger = logging.getLogger("replication.log")


class Attachments:
    """The notices and the history of one node, as the log's snapshots and entries carry them."""

    def __init__(self, notices: NoticeLog, history: SharedHistory) -> None:
        self._notices = notices
        self._history = history

    def pages(self) -> Iterable[bytes]:
        """Yield the pages of the history. Each is a slice of work."""
        return self._history.pages()

    async def take_page(self, page: bytes, older_seconds: float) -> None:
        """Merge a page that was read so long ago, slice by slice. What cannot be read is left out."""
        try:
            await self._history.merge(page, int(older_seconds * 1000))
        except UNREADABLE as error:
            logger.warning("a page of the snapshot's history is left out: %s", error)

    def kept(self) -> bytes:
        """Return the last notices of all nodes, as they are written."""
        return kept_notices(self._notices)

    def take_kept(self, written: bytes, older_seconds: float) -> None:
        """Take notices that were written so long ago; none if they cannot be read."""
        take_kept(self._notices, written, older_seconds)

    def take(self, found: NoticesEntry, elapsed: float) -> None:
        """Take another node's notices, appended so long ago."""
        if found.version == VERSION:
            self._notices.take(found.copies, older_seconds=elapsed, partial=True)


class NoticeWriter:
    """Appends this node's notices: what is new every few seconds, and its last ones for a node that has just come."""

    def __init__(self, notices: NoticeLog, server: LogServer, status: LogStatus, roster: Roster, clock: Clock) -> None:
        self._notices = notices
        self._server = server
        self._status = status
        self._roster = roster
        self._clock = clock
        self._appended = 0  # the last revision that is in the log
        self._greeted: set[str] = set()  # origins that have had the last notices, or were there before this node
        self._generation = ""

    async def run(self) -> None:
        """Append for ever."""
        while True:
            await self._status.up.wait()
            self._look()
            try:
                await self.append()
            except LogError as error:
                logger.debug("notices are not appended: %s", error)
            await self._clock.sleep(ASK_SECONDS)

    async def append(self) -> None:
        """Append what is not in the log yet. Raises LogError."""
        while copies := self._notices.own_beyond(self._appended, MOST_COPIES):
            await self._server.append(notices_entry(NoticesEntry(VERSION, self._notices.origin, copies)))
            self._appended = max(copy.revision for copy in copies)

    def _look(self) -> None:
        """Go back to the last notices if a node has come, or the log was lost."""
        present = {each.latest.origin for each in self._roster.present()}
        if present - self._greeted or self._generation != self._status.generation:
            latest = self._notices.own_latest(LAST_COPIES)
            self._appended = min([self._appended, *(copy.revision - 1 for copy in latest)])
        self._greeted, self._generation = present, self._status.generation
