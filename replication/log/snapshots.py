# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Writes snapshots of this node into the log server, when it is this node's turn. Owned by the event loop.

One node at a time does, by a lease. Position and vector are read before the first bucket, in one step: what is in the
stream up to there is in the snapshot. Two are kept, and the stream from the older one on.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterator

from replication.log.attachments import Attachments
from replication.log.clock import Clock
from replication.log.reader import LogReader
from replication.log.server import LeaseLost, LogError, LogFull, LogRefused, LogServer, SnapshotPointer
from replication.log.status import LogStatus
from replication.replica import Replica
from replication.snapshot.capture import Capture
from replication.snapshot.moment import Moment

logger = logging.getLogger("replication.log")

LOOK_SECONDS = 0.25
RETRY_SECONDS = 5.0
LEASE_SECONDS = 10.0
# A snapshot is due by time, by what a starting node would have to read behind the latest, or because one is needed.
SNAPSHOT_SECONDS = 60.0
LONG_ENTRIES = 200_000
LONG_BYTES = 64 * 1024 * 1024
# Behind each slice, in times of what it took; the second where the snapshot is needed at once.
REST = 60
URGENT_REST = 4


class LogSnapshots:
    """This node as a writer of snapshots.

    `needed`: why one must be written at once, for the log; empty: one is due by time alone.
    `written`: how many this node has written.
    `writing`: one is under way.
    `last_bytes`, `last_seconds`, `last_items`: of the last one that it wrote.

    `able` returns whether this node may write one: whether it lacks nothing (True), or what it lacks cannot be had in
    another way (with `needed`). `looked` waits for the next look at the log server. `cold` returns whether this node
    is cold. `attachments`: what goes with it. `merged` notes a snapshot that this node has all of. `is_present` returns
    whether a life is there.
    """

    def __init__(
        self,
        replica: Replica,
        server: LogServer,
        status: LogStatus,
        reader: LogReader,
        clock: Clock,
        looked: Callable[[], Awaitable[None]],
        able: Callable[[bool], bool],
        cold: Callable[[], bool],
        merged: Callable[[str], None],
        is_present: Callable[[str], bool],
        random_id: Callable[[], str],
        attachments: Attachments | None = None,
    ) -> None:
        self._replica = replica
        self._server = server
        self._status = status
        self._reader = reader
        self._clock = clock
        self._looked = looked
        self._able = able
        self._cold = cold
        self._merged = merged
        self._is_present = is_present
        self._lease = ""  # another writer's token, and when it was seen first
        self._lease_seen = 0.0
        self._random_id = random_id
        self._attachments = attachments
        self._retry_at = 0.0
        self.needed = ""
        self.written = 0
        self.writing = False
        self.last_bytes = 0
        self.last_items = 0
        self.last_seconds = 0.0

    def why(self) -> str:
        """Return why a snapshot is due; empty if none is."""
        pointer, reader = self._status.pointer, self._reader
        if pointer is None:
            return "there is none"
        if pointer.generation != self._status.generation:
            return "the log was lost"
        if self._status.gap:
            return "entries were dropped that it lacks"
        if self.needed:
            return self.needed
        if reader.since_snapshot_entries > LONG_ENTRIES or reader.since_snapshot_bytes > LONG_BYTES:
            return "the stream is long"
        due = self._status.snapshot_age() > SNAPSHOT_SECONDS and reader.since_snapshot_entries
        return "by time" if due else ""

    async def run(self) -> None:
        """Write those that are due, for ever."""
        while True:
            await self._clock.sleep(LOOK_SECONDS)
            if self._clock.now() >= self._retry_at:
                try:
                    await self._end_dead_lease()
                    if self._is_turn():
                        await self._write()
                except (LeaseLost, LogRefused) as error:
                    logger.info("a snapshot was given up: %s", error)
                    self._retry_at = self._clock.now() + LOOK_SECONDS * 4
                except LogFull as error:
                    self._status.full_up(error)
                    self._retry_at = self._clock.now() + RETRY_SECONDS
                except LogError as error:
                    self._status.failed(error)
                finally:
                    self.writing = False

    async def _end_dead_lease(self) -> None:
        """End the lease of a writer that is gone: a log server whose clock was set back would keep it for long."""
        standing, now = self._status.standing, self._clock.now()
        token = "" if standing is None or not self._status.up.is_set() else standing.writer
        if token != self._lease:
            self._lease, self._lease_seen = token, now
        if not token or now - self._lease_seen < LEASE_SECONDS:
            return
        origin, _, snapshot = token.rpartition(" ")
        if not self._writes(origin):
            self._lease_seen = now
            await self._server.release(token, snapshot)

    def _writes(self, origin: str) -> bool:
        """Return whether a node may be writing: this one knows of itself, and of others whether they are there."""
        return self.writing if origin == self._replica.origin else self._is_present(origin)

    def _is_turn(self) -> bool:
        standing = self._status.standing
        if standing is None or standing.writer or not self._status.up.is_set() or not self._reader.caught_up:
            return False
        return bool(self.why()) and self._able(bool(self.needed))

    async def _write(self) -> None:
        server, snapshot = self._server, self._random_id()
        token = f"{self._replica.origin} {snapshot}"
        if not await server.take_lease(token, LEASE_SECONDS):
            return
        await self._looked()
        why = self.why()
        if not why or not self._able(bool(self.needed)):
            await server.release(token, snapshot)
            return
        self.writing = True
        try:
            pointer = await self._slices(token, snapshot, urgent=why != "by time")
            await server.commit(token, pointer)
        except (LogRefused, LogFull):
            await server.release(token, snapshot)
            raise
        self.written += 1
        self._merged(snapshot)
        self.needed = ""
        logger.info("a snapshot of %d items is in the log after %.1f s (%s)", self.last_items, self.last_seconds, why)

    async def _slices(self, token: str, snapshot: str, *, urgent: bool) -> SnapshotPointer:
        """Write the slices. Returns the pointer to them."""
        clock, began = self._clock, self._clock.now()
        generation, position = self._status.generation, self._reader.position
        capture = self._capture()
        frames = _end_last(capture)
        slices = size = 0
        while True:
            at = clock.now()
            frame = next(frames, None)
            took = clock.now() - at
            if frame is None:
                break
            await self._server.write_slices(token, snapshot, [frame], LEASE_SECONDS)
            slices += 1
            size += len(frame)
            await clock.sleep(min(1.0, took * (URGENT_REST if urgent else REST)))
        self.last_bytes, self.last_items, self.last_seconds = size, capture.items, clock.now() - began
        return SnapshotPointer(generation, snapshot, position, slices, size, 0, self._cold())

    def _capture(self) -> Capture:
        clock, beside = self._clock, self._attachments
        moment = Moment("", 0, clock.wall_ns())
        if beside is None:
            return Capture(self._replica, 0, moment, clock.now, alone=False)
        return Capture(self._replica, 0, moment, clock.now, alone=False, history=beside.pages, notices=beside.kept)


def _end_last(capture: Capture) -> Iterator[bytes]:
    """Yield the frames of a snapshot in the log. Its last slice is its end: that says how old the others are."""
    yield from capture.items_frames()
    yield from capture.history_frames()
    yield capture.end_frame()
