# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Reads all that a node holds, slice by slice, as the frames of a snapshot. Pure; used on the event loop.

Always true: the vector was read before the first bucket. So what it covers is in the buckets, or is over. What comes
later may be in them too: all of it is idempotent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from replication.buckets import State
from replication.entity import Entity
from replication.paths import VERSION
from replication.replica import Replica
from replication.snapshot.contents import FORMAT, SnapshotEnd, SnapshotHead, SnapshotHistory, SnapshotSlice, written
from replication.snapshot.frames import framed
from replication.snapshot.moment import Moment

# Of what an entity puts into one answer: 128 requests or 4,096 blocks of caches, under a millisecond.
SHARE_OF_ANSWER = 4


class Capture:
    """One snapshot of a replica. Each step of `frames` is a slice of work.

    `first_tail`: the tail that events go to from now on.
    `now`: returns monotonic seconds.
    `history`: yields the pages of the history of load.
    `notices`: returns the notices that are kept, as they are written.
    """

    def __init__(
        self,
        replica: Replica,
        first_tail: int,
        at: Moment,
        now: Callable[[], float],
        *,
        alone: bool,
        history: Callable[[], Iterable[bytes]] = tuple,
        notices: Callable[[], bytes] = bytes,
    ) -> None:
        self._replica = replica
        self._first_tail = first_tail
        self._at = at
        self._now = now
        self._history = history
        self._alone = alone
        self._notices = notices
        self._began = now()
        self._slices = 0
        self.items = 0

    def frames(self) -> Iterator[bytes]:
        """Yield the snapshot's frames."""
        yield from self.items_frames()
        yield self.end_frame()
        yield from self.history_frames()

    def items_frames(self) -> Iterator[bytes]:
        """Yield the head and the slices."""
        summary = self._replica.summary(self._now())
        yield framed(written(SnapshotHead(FORMAT, self._at, self._first_tail, self._alone, summary)))
        for entity in self._replica.entities:
            if entity.kept:
                yield from self._entity(entity)

    def end_frame(self) -> bytes:
        """Return the end, once all slices are there."""
        return framed(written(SnapshotEnd(self._later_ms(), self._slices, self.items, self._notices())))

    def history_frames(self) -> Iterator[bytes]:
        """Yield the history of load."""
        for page in self._history():
            yield framed(written(SnapshotHistory(self._later_ms(), page)))

    def _entity(self, entity: Entity) -> Iterator[bytes]:
        before: Sequence[Any] = entity.before(self._now())
        buckets: list[tuple[int, Sequence[Any]]] = []
        doubted: dict[str, int] = {}
        size, empty = 0, 0
        for bucket in range(entity.buckets):
            now = self._now()
            copies = entity.copies(bucket, now)
            if copies:
                buckets.append((bucket, copies))
                doubted.update(entity.doubted(bucket, now))
                size += entity.size(copies)
            else:
                empty += 1
            if size * SHARE_OF_ANSWER >= entity.answer_size or empty >= entity.answer_size:
                yield self._slice(entity, before, buckets, doubted)
                before, buckets, doubted, size, empty = (), [], {}, 0, 0
        if before or buckets:
            yield self._slice(entity, before, buckets, doubted)

    def _slice(
        self,
        entity: Entity,
        before: Sequence[Any],
        buckets: list[tuple[int, Sequence[Any]]],
        doubted: dict[str, int],
    ) -> bytes:
        items = sum(len(copies) for _, copies in buckets)
        self._slices += 1
        self.items += items
        state = entity.layout.write_state(State(VERSION, buckets, before))
        return framed(written(SnapshotSlice(self._later_ms(), entity.name, items, state, doubted)))

    def _later_ms(self) -> int:
        return int((self._now() - self._began) * 1000)
