# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""One node on the log: it announces itself, joins, and decides what its reader, writer and snapshots do.

Runs on the event loop; the simulation runs the same code on a virtual one. `runs` names what is to run side by side.
An error of the log server ends nothing: `status` says it, and the next announcement finds out how the log stands.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine
from random import Random
from typing import Any

from msgspec.structs import replace

from replication.features import NAMES
from replication.journal import Journal
from replication.log.announcement import UNKNOWN_AGE, Announcement, digest_of, written
from replication.log.attachments import Attachments
from replication.log.clock import Clock
from replication.log.joining import LogJoining
from replication.log.lacks import Lacks
from replication.log.reader import LogReader
from replication.log.repairs import Repairs
from replication.log.roster import BEAT_SECONDS, Roster
from replication.log.server import BEGINNING, LogError, LogServer, Position
from replication.log.silent_nodes import SilentNodes
from replication.log.snapshots import LogSnapshots
from replication.log.status import LogStatus
from replication.log.writer import StreamWriter
from replication.paths import VERSION
from replication.replica import Replica
from runtime.cold_start import ColdStart

logger = logging.getLogger("replication.log")

SHORTEST_WAIT_SECONDS = 0.05
LONGEST_WAIT_SECONDS = 1.0
JOINING_BEAT_SECONDS = BEAT_SECONDS / 5  # each step of joining waits for a look


class LogMember:
    """This node on the log.

    `joining`: how it gets what is in the log; `joined` and `ready` are its flags.
    `looks`: how often it has seen how the log stands.
    `silent`: the nodes that must not be forgotten with the log.
    `trimmed_past`: how often entries were dropped that this node had not read.

    `join_seconds` bounds how long joining may go without progress. `keep_seconds`: how long a node that fell silent
    matters. `address` and `machine` say where this node is. `attachments`: what the log carries beside the entities.
    `keep` keeps bytes for `silent` of this node's next life.
    """

    def __init__(
        self,
        replica: Replica,
        journal: Journal,
        server: LogServer,
        clock: Clock,
        *,
        random: Random,
        cold: ColdStart,
        join_seconds: float,
        keep_seconds: float,
        address: str = "",
        machine: str = "",
        observe: Callable[[float], None] = lambda seconds: None,
        attachments: Attachments | None = None,
        keep: Callable[[bytes], None] = lambda body: None,
    ) -> None:
        self._replica = replica
        self._journal = journal
        self._server = server
        self._clock = clock
        self._random = random
        self._cold = cold
        self._address = address
        self._machine = machine
        self.status = LogStatus(clock)
        self.roster = Roster(replica.origin, (address, machine), keep_seconds)
        self.silent = SilentNodes(server, self.roster, keep)
        self.lacks = Lacks(replica, journal, self.roster)
        self.repairs = Repairs(replica, server, self.status, self.roster, clock)
        self.reader = LogReader(
            replica,
            server,
            self.status,
            clock,
            self.repairs.take_summary,
            self.repairs.take_buckets,
            *([] if attachments is None else [attachments.take]),
        )
        self.writer = StreamWriter(
            journal, server, self.status, self.roster, clock, replica.for_peer, self.make_room, observe
        )
        self.joining = LogJoining(
            replica,
            server,
            self.status,
            self.roster,
            self.lacks,
            self.reader,
            clock,
            cold,
            join_seconds=join_seconds,
            say_goodbye=self._say_goodbye,
            attachments=attachments,
        )
        self.snapshots = LogSnapshots(
            replica,
            server,
            self.status,
            self.reader,
            clock,
            self._next_look,
            self._able,
            lambda: bool(cold.seconds()),
            self._wrote,
            lambda origin: any(each.latest.origin == origin for each in self.roster.present()),
            self._id,
            attachments,
        )
        self.joined = self.joining.joined
        self.ready = self.joining.ready
        self.looks = 0
        self.trimmed_past = 0
        self._beats = 0

    @property
    def runs(self) -> list[Callable[[], Coroutine[Any, Any, None]]]:
        """What runs side by side for as long as this node lives."""
        return [
            self._announce,
            self.joining.join,
            self.joining.watch_progress,
            self._mend,
            self.reader.run,
            self.writer.run,
            self.snapshots.run,
        ]

    # Announcing

    async def _announce(self) -> None:
        while True:
            try:
                await self._beat()
            except LogError as error:
                self.status.failed(error)
                wait = min(LONGEST_WAIT_SECONDS, SHORTEST_WAIT_SECONDS * 2 ** min(self.status.failures - 1, 10))
                await self._clock.sleep(wait * (0.5 + self._random.random() / 2))
                continue
            await self._clock.sleep(BEAT_SECONDS if self.joined.is_set() else JOINING_BEAT_SECONDS)

    async def _mend(self) -> None:
        """Repair what differs, and load what is missing."""
        while True:
            await self._clock.sleep(BEAT_SECONDS / 2)
            await self.status.up.wait()
            await self.repairs.work()
            await self.joining.load_what_is_missing()

    async def _next_look(self) -> None:
        """Wait until this node has seen how the log stands from now on."""
        seen = self.looks
        while self.looks < seen + 1 and self.status.up.is_set():
            await self._clock.sleep(BEAT_SECONDS / 10)

    async def _beat(self) -> None:
        """Announce this node, and react to how the log stands. Raises LogError."""
        while True:
            before = self.status.standing
            self._beats += 1
            announcement = self._announcement()
            own = self.writer.own
            standing = await self._server.announce(self._replica.origin, written(announcement), own)
            if before is None or standing.pointer != before.pointer:
                self.reader.since_snapshot_entries = self.reader.since_snapshot_bytes = 0
            self.status.took(standing)
            if standing.generation and standing.generation == self.status.generation:
                if not self.status.rolled_back(announcement.at, own):
                    break
                logger.warning("the log has lost entries: a new generation begins")
            elif standing.generation and standing.last is not None:
                self._adopt(standing.generation, standing.last)
                continue
            await self._server.begin(standing.generation, self._id())
        if before is not None and before.last is not None and standing.first is not None:
            self.trimmed_past += standing.first > before.last > self.reader.position > BEGINNING
        self.roster.take(await self.silent.put_back(standing), self._clock.now())
        self.silent.note(self.status.generation)
        self._look(announcement)
        self.status.works()
        self.looks += 1
        for known in self.roster.over():
            await self._server.forget(known.latest.origin, known.body)

    def _adopt(self, generation: str, last: Position) -> None:
        """Go on in another generation."""
        first = not self.status.generation
        self.status.generation = generation
        if first:
            return
        self.status.lost += 1
        self.silent.log_was_lost()
        self.lacks.begin_anew()
        self.reader.begin_anew(last)
        self.writer.begin_anew()

    def _announcement(self) -> Announcement:
        replica, reader = self._replica, self.reader
        age = self.status.snapshot_age()
        pointer = self.status.pointer
        return Announcement(
            VERSION,
            replica.origin,
            self._beats,
            self.status.generation,
            reader.position,
            reader.caught_up,
            self.joined.is_set() and replica.joined,
            bool(self._cold.seconds()),
            self._journal.oldest,
            replica.vector(),
            digest_of(replica.digests()),
            "" if pointer is None else pointer.snapshot,
            UNKNOWN_AGE if age < 0 else int(age * 1000),
            self.joining.loaded,
            self._address,
            self._machine,
            NAMES,
        )

    def _look(self, own: Announcement) -> None:
        """React to what the others announced."""
        pointer = self.status.pointer
        self.lacks.look(own, "" if pointer is None else pointer.snapshot, caught_up=self.reader.caught_up)
        self.snapshots.needed = "a node lacks what only others have" if self.lacks.others else ""
        self.writer.look(self.status.generation)
        self.writer.trim()
        self.repairs.look(own.digest, own.vector)

    # What follows for the node

    @property
    def acknowledged(self) -> int:
        """The last event before which all are with every node present, and appended."""
        return min(self.writer.appended, self.roster.acknowledged(self.writer.appended))

    @property
    def behind(self) -> bool:
        """Whether some node and this one may not know all of each other's events."""
        here = self.status.up.is_set() and self.reader.caught_up and self.joined.is_set()
        return not here or self.lacks.behind(self._clock.now())

    def handed_on(self) -> bool:
        """Return whether there are other nodes, and each has all that this one took from its clients."""
        present = self.roster.present()
        return bool(present) and all(self.roster.seen(each) >= self._journal.latest for each in present)

    def _able(self, needed: bool) -> bool:
        replica = self._replica
        if not (self.joined.is_set() and replica.joined) or any(replica.pending.values()):
            return False
        if not all(entity.complete for entity in replica.entities):
            return False
        return not (replica.lacks or self.lacks.own) or (needed and not self.lacks.dominated)

    async def make_room(self) -> None:
        """Trim the stream behind the slowest node present: the log server is full."""
        places = [each.latest.at for each in self.roster.present() if each.latest.generation == self.status.generation]
        behind = min([self.reader.position, *places])
        try:
            await self._server.trim(behind)
        except LogError as error:
            self.status.failed(error)

    async def leave(self) -> None:
        """Say goodbye. A log server that is away is not waited for."""
        self._beats += 1
        try:
            await self._say_goodbye(self._replica.origin)
        except LogError as error:
            logger.info("left without a goodbye: %s", error)

    async def _say_goodbye(self, origin: str) -> None:
        body = written(replace(self._announcement(), origin=origin, left=True))
        await self._server.announce(origin, body, None)

    def _wrote(self, snapshot: str) -> None:
        self.joining.loaded = snapshot

    def _id(self) -> str:
        return f"{self._random.getrandbits(64):016x}"
