# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Reads a snapshot from the log server and merges it: a whole pull, slice by slice, from the node that wrote it.

On the event loop. A slice is merged as of the time when it was read there. How long ago that is says the log server's
clock, within a bound. A snapshot of which something is missing adopts nothing, as a pull that was not finished. The
notices and the history that came with it are taken too.
"""

from __future__ import annotations

from io import BytesIO

from replication.entities import Summary
from replication.log.attachments import Attachments
from replication.log.clock import Clock
from replication.log.server import LogServer, SnapshotPointer
from replication.replica import Replica
from replication.snapshot.contents import Content, SnapshotEnd, SnapshotHead, SnapshotHistory, SnapshotSlice, read
from replication.snapshot.frames import FrameReader
from replication.snapshot.restoring import UnusableSnapshot, merge_slice

MOST_SLICES = 16  # asked for at once: about half a megabyte


class Loader:
    """Loads snapshots into one replica.

    `furthest`: which snapshot was loaded last, and how many of its slices were merged at the most: progress.
    `took_seconds`: how long the last one had taken to write.
    `doubted`: what the writer of the last one was in doubt about, and for how many seconds from then on.
    """

    def __init__(
        self, replica: Replica, server: LogServer, clock: Clock, attachments: Attachments | None = None
    ) -> None:
        self._replica = replica
        self._server = server
        self._clock = clock
        self._attachments = attachments
        self.furthest = ("", 0)
        self.took_seconds = 0.0
        self.doubted: dict[str, int] = {}

    async def load(self, pointer: SnapshotPointer, age_seconds: float) -> None:
        """Merge a snapshot that was finished so long ago. Raises UnusableSnapshot, FutureFormat or a LogError."""
        end = await self._end(pointer)
        self.took_seconds = end.later_ms / 1000
        began = self._clock.now()
        if self.furthest[0] != pointer.snapshot:
            self.furthest = (pointer.snapshot, 0)
        summary: Summary | None = None
        self.doubted = {}
        items = number = 0
        while number < pointer.slices:
            found = await self._server.slices(pointer.snapshot, number, MOST_SLICES)
            if not found:
                raise UnusableSnapshot(f"slice {number} of {pointer.slices} is gone")
            for body in found:
                content = _content(body)
                if isinstance(content, SnapshotHead):
                    summary = content.summary
                    age = age_seconds + end.later_ms / 1000
                    for entity in self._replica.entities:
                        entity.meet(summary, began - age)
                elif isinstance(content, SnapshotSlice) and summary is not None:
                    age = age_seconds + max(0, end.later_ms - content.later_ms) / 1000
                    merge_slice(self._replica, content, summary.vector, began - age, self._clock.wall_ns())
                    items += content.items
                    self.doubted.update((name, seconds - int(age)) for name, seconds in content.doubted.items())
                elif self._attachments is not None:
                    await self._take_attachment(self._attachments, content, age_seconds, end.later_ms)
                number += 1
                self.furthest = max(self.furthest, (pointer.snapshot, number))
                await self._clock.sleep(0)
        if summary is None or items != end.items:
            raise UnusableSnapshot(f"{items} of {end.items} items are there")
        self._replica.recall(summary.vector)

    @staticmethod
    async def _take_attachment(attachments: Attachments, content: Content, age_seconds: float, end_ms: int) -> None:
        if isinstance(content, SnapshotHistory):
            await attachments.take_page(content.page, age_seconds + max(0, end_ms - content.later_ms) / 1000)
        elif isinstance(content, SnapshotEnd):
            attachments.take_kept(content.notices, age_seconds)

    async def _end(self, pointer: SnapshotPointer) -> SnapshotEnd:
        found = await self._server.slices(pointer.snapshot, pointer.slices - 1, 1)
        end = _content(found[0]) if found else None
        if not isinstance(end, SnapshotEnd):
            raise UnusableSnapshot("its end is gone")
        return end


def _content(body: bytes) -> Content:
    """Return what a slice holds. Raises UnusableSnapshot or FutureFormat."""
    for found in FrameReader(BytesIO(body)):
        try:
            return read(found)
        except ValueError as error:
            raise UnusableSnapshot(str(error)) from None
    raise UnusableSnapshot("a slice is torn")
