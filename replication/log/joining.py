# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""How a starting node gets what is in the log: the latest snapshot, and the stream behind it up to what was last when
it began. On the event loop.

The log server's clock says how old all that is, and no more than the nodes that live say themselves. Where none lives,
it alone can say it.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress

from replication.former_life import FormerLife
from replication.log.attachments import Attachments
from replication.log.clock import Clock
from replication.log.lacks import Lacks
from replication.log.loading import Loader
from replication.log.reader import LogReader
from replication.log.roster import BEAT_SECONDS, Known, Roster
from replication.log.server import BEGINNING, LogError, LogServer, Position, SnapshotPointer
from replication.log.status import LogStatus
from replication.replica import Replica
from replication.snapshot.contents import FutureFormat
from replication.snapshot.restoring import UnusableSnapshot
from runtime.cold_start import ColdStart

logger = logging.getLogger("replication.log")

LOOK_SECONDS = BEAT_SECONDS / 10
EVER = 1e9


class LogJoining:
    """One node's way into the log.

    `joined`: set once this node has all that is in the log.
    `ready`: set then, or once there was no progress for `join_seconds`.
    `former`: the origin of the life whose files this node goes on from; empty if there is none.
    `loaded`: the last snapshot that was merged, or could not be.

    `say_goodbye` announces that a life is over.
    """

    def __init__(
        self,
        replica: Replica,
        server: LogServer,
        status: LogStatus,
        roster: Roster,
        lacks: Lacks,
        reader: LogReader,
        clock: Clock,
        cold: ColdStart,
        *,
        join_seconds: float,
        say_goodbye: Callable[[str], Awaitable[None]],
        attachments: Attachments | None = None,
    ) -> None:
        self._replica = replica
        self._status = status
        self._roster = roster
        self._lacks = lacks
        self._reader = reader
        self._clock = clock
        self._cold = cold
        self._join_seconds = join_seconds
        self._say_goodbye = say_goodbye
        self._loader = Loader(replica, server, clock, attachments)
        self._arrived = False  # all that was in the stream is read: what is lacking now only a snapshot brings
        self.joined = clock.flag()
        self.ready = clock.flag()
        self.former = ""
        self.loaded = ""

    async def watch_progress(self) -> None:
        """Let the node serve as it is once joining does not get on."""
        progress: tuple[object, ...] = ()
        since = self._clock.now()
        while not self.joined.is_set():
            position = None if self._arrived else self._reader.position
            now = (self._loader.furthest, position, self._status.generation)
            if now != progress:
                progress, since = now, self._clock.now()
            elif self._clock.now() - since > self._join_seconds:
                reason = self._status.reason or "not all of it is read"
                logger.warning("ready without the log: no progress for %g s; %s", self._join_seconds, reason)
                break
            await self._clock.sleep(LOOK_SECONDS)
        self.ready.set()

    async def join(self) -> None:
        """Join once."""
        await self._status.up.wait()
        began = self._clock.now()
        if self.former:  # it is over for sure: the folder is this life's
            with suppress(LogError):
                await self._say_goodbye(self.former)
        while not self._roster.decided and not self._roster.alive():
            await self._clock.sleep(LOOK_SECONDS)
        standing = self._status.standing
        assert standing is not None
        last, alive = standing.last or BEGINNING, self._roster.alive()
        pause = self._status.elapsed_seconds(last.ms, EVER)
        pointer = await self._begin(alive, last)
        await self._read_up_to(last)
        if not alive and not self.former:
            self._resume(pause)
        self._fill(pointer, alive)
        self.joined.set()
        logger.info("all of the log is in after %.2f s", self._clock.now() - began)

    async def _begin(self, alive: list[Known], last: Position) -> SnapshotPointer | None:
        """Load the latest snapshot, and let the reader begin behind it. Returns it; None if there is none."""
        status, mended = self._status, last if alive else BEGINNING
        tried = ""
        while (pointer := status.pointer) is not None and pointer.snapshot != tried:
            bound = self._roster.bounds(pointer.snapshot, alive) if alive else EVER
            age = status.elapsed_seconds(pointer.written_ms, bound)
            status.snapshot_was(age)
            began = self._clock.now()
            if await self._load(pointer, age):
                position = Position(*pointer.position) if pointer.generation == status.generation else BEGINNING
                oldest = bound + self._loader.took_seconds + self._clock.now() - began
                self._reader.begin(position, oldest, mended)
                return pointer
            tried = pointer.snapshot
        self._reader.begin(BEGINNING, 0.0 if alive else EVER, mended)
        return None

    async def _read_up_to(self, last: Position) -> None:
        """Wait until all is read that there was, and no node present has more. In another generation that is up to its
        end. What never was in the log a snapshot brings. That is not waited for longer than calls are kept waiting.
        """
        generation = self._status.generation
        while True:
            if self._reader.caught_up and (self._reader.position >= last or self._status.generation != generation):
                self._arrived = True
                if self.ready.is_set() or not self._lacks_something():
                    return
            await self._clock.sleep(LOOK_SECONDS)

    def _lacks_something(self) -> bool:
        return bool(self._roster.present()) and self._lacks.own

    async def _load(self, pointer: SnapshotPointer, age: float) -> bool:
        """Load a snapshot that is of that age now, and older at each try. Returns False if it cannot be used."""
        began = self._clock.now()
        while True:
            try:
                await self._loader.load(pointer, age + self._clock.now() - began)
            except (UnusableSnapshot, FutureFormat) as error:
                logger.warning("a snapshot in the log cannot be used: %s", error)
                self.loaded = pointer.snapshot
                return False
            except LogError as error:
                self._status.failed(error)
                await self._status.up.wait()
            else:
                self.loaded = pointer.snapshot
                return True

    def _resume(self, pause: float) -> None:
        """Go on from what is in the log alone: none of the nodes lives that wrote it. Those that are there now, and
        begin as this one does, may serve already."""
        present = frozenset([self._replica.origin, *(each.latest.origin for each in self._roster.present())])
        life = FormerLife(pause, clean=False, doubted=self._loader.doubted, present=present)
        for entity in self._replica.entities:
            entity.resume(life, self._clock.now())

    def _fill(self, pointer: SnapshotPointer | None, alive: list[Known]) -> None:
        """Note whether this node lacks nothing now."""
        kept = pointer is not None and not pointer.cold
        filled = any(not each.latest.cold for each in alive) if alive else kept
        if filled or self.former:
            self._cold.filled("the log")
        if alive and filled:
            self._replica.trust()

    async def load_what_is_missing(self) -> None:
        """Load the latest snapshot if others have what this node lacks."""
        pointer = self._status.pointer
        if pointer is None or not self._replica.missing or not self._reader.begun.is_set():
            return
        if pointer.snapshot != self.loaded:
            await self._load(pointer, self._status.elapsed_seconds(pointer.written_ms, self._status.snapshot_age()))
