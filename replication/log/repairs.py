# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Mends what differs between nodes on the log. Owned by the event loop.

Nodes announce a digest of their digests. One that differs from another twice running appends its Summary. Each node
that reads it compares bucket by bucket, at the same place in the stream, and appends the buckets that differed the time
before too. All merge those by the rule of dots and vectors: so each gets what it lacks, and ends what is over.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import inf

from edge.errors import InvalidInput
from replication.buckets import State, Want
from replication.entities import Summary
from replication.features import NAMES
from replication.log.clock import Clock
from replication.log.entries import Buckets, buckets_entry, packed, summary_entry, unpacked
from replication.log.roster import Known, Roster
from replication.log.server import LogError, LogServer
from replication.log.status import LogStatus
from replication.paths import VERSION
from replication.push_reader import UNREADABLE
from replication.replica import Replica

MOST_BUCKETS = 16  # of one answer to a Summary
# Between two Summaries of a node: where nothing is under way, and where something may be that makes digests differ.
QUIET_SECONDS = 1.0
BUSY_SECONDS = 5.0
MOST_PEERS = 256


class Repairs:
    """What differs, and what is done about it.

    `differing`: how many nodes present had another digest than this one at the last look.
    `repaired`: how many records were changed here by others' buckets.
    `written_buckets`: how many buckets this node has appended.
    """

    def __init__(self, replica: Replica, server: LogServer, status: LogStatus, roster: Roster, clock: Clock) -> None:
        self._replica = replica
        self._server = server
        self._status = status
        self._roster = roster
        self._clock = clock
        self._suspects: dict[str, Mapping[str, frozenset[int]]] = {}  # by origin of the Summary, by entity
        self._wanted: dict[str, set[int]] = {}  # buckets to be appended, by entity
        self._differed: dict[str, bool] = {}  # at the last look, by origin: whether with equal watermarks
        self._due = False  # a Summary
        self._said = -inf  # when the last Summary was appended
        self.differing = 0
        self.repaired = 0
        self.written_buckets = 0

    def look(self, digest: int, vector: Mapping[str, int]) -> None:
        """Compare what other nodes announced with what this node announced."""
        differing = [each for each in self._roster.alive() if each.latest.caught_up and each.latest.digest != digest]
        self.differing = len(differing)
        now = {each.latest.origin: _agree(each, vector) for each in differing}
        again = [quiet and self._differed[origin] for origin, quiet in now.items() if origin in self._differed]
        self._differed = now
        if again and self._clock.now() - self._said >= (QUIET_SECONDS if any(again) else BUSY_SECONDS):
            self._due = True

    async def work(self) -> None:
        """Append what is due."""
        now = self._clock.now()
        if self._due:
            self._due = False
            self._said = now
            await self._append(summary_entry(self._replica.summary(now)))
        for name in list(self._wanted):
            await self._append(self._buckets(name, sorted(self._wanted.pop(name))[:MOST_BUCKETS]))

    async def _append(self, body: bytes) -> None:
        try:
            await self._server.append(body)
        except LogError as error:
            self._status.failed(error)

    def _buckets(self, name: str, buckets: list[int]) -> bytes:
        now = self._clock.now()
        summary = self._replica.summary(now)
        entity = self._replica.entity(name)
        state = self._replica.state(name, Want(VERSION, buckets, NAMES), now)
        self.written_buckets += len(state.buckets)
        body = packed(entity.layout.write_state(state))
        return buckets_entry(Buckets(VERSION, self._replica.origin, summary.vector, name, body))

    # What others append

    def take_summary(self, summary: Summary, elapsed: float) -> None:
        """Take in another node's Summary, and note which buckets it needs."""
        if summary.version != VERSION:
            return
        now = self._clock.now()
        self._replica.meet(summary, now - elapsed)
        if not self._replica.joined:
            return
        before = self._suspects.pop(summary.origin, {})
        differing = {each.name: frozenset(each.differing(summary)) for each in self._replica.compared}
        self._suspects[summary.origin] = differing
        if len(self._suspects) > MOST_PEERS:
            del self._suspects[next(iter(self._suspects))]
        for name, buckets in differing.items():
            if twice := buckets & before.get(name, frozenset()):
                self._wanted.setdefault(name, set()).update(twice)

    def take_buckets(self, found: Buckets, elapsed: float) -> None:
        """Merge buckets that another node appended. Raises InvalidInput for what cannot be merged."""
        if found.version != VERSION:
            raise InvalidInput(f"version: expected {VERSION}, got {found.version}")
        entity = next((each for each in self._replica.compared if each.name == found.entity), None)
        if entity is None:
            return
        try:
            state: State = entity.layout.read_state(unpacked(found.state))
        except UNREADABLE as error:
            raise InvalidInput(f"state: {error}") from None
        at = self._clock.now() - elapsed
        self.repaired += sum(self._replica.merge(entity, state, found.vector, at, self._clock.wall_ns()))


def _agree(known: Known, vector: Mapping[str, int]) -> bool:
    """Return whether a node has announced the same watermarks as this one, where both know of an origin."""
    theirs = known.latest.vector
    return all(theirs.get(origin, seq) == seq for origin, seq in vector.items())
