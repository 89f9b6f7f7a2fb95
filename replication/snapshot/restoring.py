# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Merges a snapshot and the tails behind it into a node that has just begun. Pure; used before the node serves.

It is a whole pull from the node's own former life, followed by its pushes. Each frame is merged as of the time when it
was written, put on this process's clock: so ages come right by themselves, and what expired meanwhile is due at once.
The node's own origin is another one: what the former life took is under that life's origin in the vector.

Nothing is merged before all of the snapshot was read once. A tail may be torn, as it is after a kill: it counts up to
there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from msgspec import Struct

from edge.errors import InvalidInput
from replication.buckets import State
from replication.entities import Summary
from replication.former_life import FormerLife
from replication.push_reader import UNREADABLE, PushReader
from replication.replica import Replica
from replication.snapshot.contents import (
    Content,
    SnapshotEnd,
    SnapshotHead,
    SnapshotHistory,
    SnapshotSlice,
    TailEnd,
    TailHead,
    TailPush,
    read,
)
from replication.snapshot.moment import Moment

RESTORED = "+"
"""Behind the name of a life: the origin of those of its records that had no dot. It is the same at each restart."""


class UnusableSnapshot(Exception):
    """The files cannot be restored from. The text says why."""


class Restored(Struct, frozen=True):
    """What was restored.

    `origin`: the last life's.
    `ended_ns`: when it ended as far as its files show, in wall-clock ns of that time.
    `pause_seconds`: how long ago that was.
    `clean`: it stopped and had written all that it took.
    `handed_on`: all of its peers had that too. If not, what it had not pushed is news to them.
    `items`: copies in the snapshot.
    `events`: events in the tails.
    `dots`: records without a dot that got one.
    """

    origin: str
    ended_ns: int
    pause_seconds: float
    clean: bool
    handed_on: bool
    items: int
    events: int
    dots: int


class Restoring:
    """One restoration.

    `snapshot`: the bodies of its frames; None if there is no snapshot yet. `tails`: the same of each tail, in order.
    They are read twice. `most_seconds`: after a longer pause nothing that they hold matters any more. `history` takes a
    page of the history of load, and how many milliseconds ago it was written.
    """

    def __init__(
        self,
        snapshot: Iterable[bytes] | None,
        tails: Sequence[Iterable[bytes]],
        *,
        at: Moment,
        now: float,
        most_seconds: float,
        history: Callable[[bytes, int], None] = lambda page, older_ms: None,
    ) -> None:
        self._snapshot = snapshot
        self._tails = tails
        self._at = at
        self._now = now
        self._most_seconds = most_seconds
        self._history = history
        self._head: SnapshotHead | None = None
        self._pushes = PushReader()
        self._origin = ""
        self._items = 0
        self._events = 0
        self._clean = self._handed_on = False
        self._lived = at  # the file's moment that the last sign of life is counted from
        self._lived_ms = 0
        self._doubted: dict[str, int] = {}
        self._notices = b""
        self._notices_ms = 0

    def survey(self) -> None:
        """Read everything once. Raises UnusableSnapshot or FutureFormat."""
        found = False
        if self._snapshot is not None:
            self._survey_snapshot(self._snapshot)
            found = True
        for tail in self._tails:
            for content in _contents(tail):
                if isinstance(content, TailHead):
                    self._lived, self._lived_ms, found = content.at, 0, True
                    self._clean = self._handed_on = False
                elif isinstance(content, TailPush | TailEnd):
                    self._lived_ms = content.later_ms
                    self._clean = isinstance(content, TailEnd)
                    self._handed_on = isinstance(content, TailEnd) and content.handed_on
        if not found:
            raise UnusableSnapshot("nothing in it can be read")
        if self.pause_seconds > self._most_seconds:
            raise UnusableSnapshot(
                f"too old: the node ended {self.pause_seconds:.0f} s ago, and requests live {self._most_seconds:g} s"
            )

    @property
    def pause_seconds(self) -> float:
        """How long the node was not there, as far as its files show."""
        return max(0.0, self._at.seconds_since(self._lived) - self._lived_ms / 1000)

    def notices(self) -> tuple[bytes, float]:
        """Return the notices of the snapshot as they were written, and how many seconds ago that was."""
        age = 0.0 if self._head is None else self._at.seconds_since(self._head.at) - self._notices_ms / 1000
        return self._notices, max(0.0, age)

    def merge(self, replica: Replica, wall_ns: int) -> Restored:
        """Merge all of it. Raises UnusableSnapshot if the snapshot holds what no node can hold."""
        if self._snapshot is not None:
            self._merge_snapshot(self._snapshot, replica, wall_ns)
        for tail in self._tails:
            self._merge_tail(tail, replica, wall_ns)
        replica.taken_events = 0  # these were not a peer's
        head = self._head
        origin = head.summary.origin if head is not None else self._origin
        dots = f"{origin}{RESTORED}" if head is not None and head.alone else ""
        life = FormerLife(self.pause_seconds, self._clean, self._doubted, dots)
        numbered = 0
        for entity in replica.entities:
            count = entity.resume(life, self._now)
            numbered += count
            if count:
                replica.recall({dots: count})
        ended_ns = self._lived.wall_ns + self._lived_ms * 1_000_000
        return Restored(
            self._origin or origin,
            ended_ns,
            life.pause_seconds,
            life.clean,
            self._handed_on,
            self._items,
            self._events,
            numbered,
        )

    def _survey_snapshot(self, snapshot: Iterable[bytes]) -> None:
        slices = items = 0
        head, end = None, None
        for content in _contents(snapshot):
            if isinstance(content, SnapshotHead):
                head = content
            elif isinstance(content, SnapshotSlice):
                slices += 1
                items += content.items
            elif isinstance(content, SnapshotEnd):
                end = content
        if head is None or end is None or (end.slices, end.items) != (slices, items):
            raise UnusableSnapshot("torn: not all of the snapshot can be read")
        self._head, self._lived, self._lived_ms = head, head.at, end.later_ms
        self._notices, self._notices_ms = end.notices, end.later_ms

    def _merge_snapshot(self, snapshot: Iterable[bytes], replica: Replica, wall_ns: int) -> None:
        summary: Summary | None = None
        age = 0.0
        for content in _contents(snapshot):
            if isinstance(content, SnapshotHead):
                summary = content.summary
                age = self._at.seconds_since(content.at)
                for entity in replica.entities:
                    entity.meet(summary, self._now - age)
            elif isinstance(content, SnapshotSlice) and summary is not None:
                now = self._now - max(0.0, age - content.later_ms / 1000)
                merge_slice(replica, content, summary.vector, now, wall_ns)
                self._items += content.items
                gone = int(self._now - now)
                self._doubted.update((name, seconds - gone) for name, seconds in content.doubted.items())
            elif isinstance(content, SnapshotHistory):
                self._history(content.page, max(0, int(age * 1000) - content.later_ms))
        if summary is not None:
            replica.recall(summary.vector)

    def _merge_tail(self, tail: Iterable[bytes], replica: Replica, wall_ns: int) -> None:
        age = 0.0
        for content in _contents(tail):
            if isinstance(content, TailHead):
                age = self._at.seconds_since(content.at)
            elif isinstance(content, TailPush):
                now = self._now - max(0.0, age - content.later_ms / 1000)
                try:
                    push, unread = self._pushes.read(content.push)
                    replica.take(push, now, wall_ns, unread)
                except (InvalidInput, *UNREADABLE):
                    return  # what is behind it counts no more than behind a torn frame
                self._origin = push.origin
                self._events += len(push.events)


def merge_slice(replica: Replica, content: SnapshotSlice, vector: Mapping[str, int], now: float, wall_ns: int) -> None:
    """Merge a slice of a snapshot whose head has this vector, as of a time. Raises UnusableSnapshot."""
    try:
        entity = replica.entity(content.entity)
        state: State = entity.layout.read_state(content.state)
        for _ in replica.merge(entity, state, vector, now, wall_ns):
            pass
    except (StopIteration, InvalidInput, *UNREADABLE) as error:
        raise UnusableSnapshot(f"wrong: {error or type(error).__name__}") from None


def _contents(frames: Iterable[bytes]) -> Iterator[Content]:
    """Yield what the frames of a file hold, up to the first that holds nothing of ours. Raises FutureFormat."""
    for body in frames:
        try:
            yield read(body)
        except ValueError:
            return
