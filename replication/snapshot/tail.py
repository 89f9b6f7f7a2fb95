# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What of the journal is still to be appended to the tail, as frames. Pure; owned by the event loop.

The tail is one more reader of the journal, which waits for it as for a peer. What could not be written stays there and
is tried again. Where the journal had no more room for it, the tail has a hole: a reader applies what is behind it, and
its watermark stays before it.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec.msgpack import Encoder

from replication.features import NOTHING
from replication.journal import Journal
from replication.messages import MAX_EVENTS, Push
from replication.paths import VERSION
from replication.snapshot.contents import FORMAT, TailEnd, TailHead, TailPush, written
from replication.snapshot.frames import framed
from replication.snapshot.moment import Moment

MOST_PUSHES = 8  # in one write: 8,192 events, 4 ms
SIGN_OF_LIFE_SECONDS = 1.0  # without events: so exactly it is known when a life ended

_encode = Encoder().encode


class Tail:
    """The end of the tail.

    `position`: the number of the last event that is written.
    `holes`: how many events were never written.
    """

    def __init__(self, journal: Journal, now: Callable[[], float]) -> None:
        self._journal = journal
        self._now = now
        self.position = 0
        self.holes = 0
        self._taken = 0  # the last event of the write under way
        self._hole = 0  # events that it passes over
        self._began = self._before = now()
        self._lived_at = self._began

    def head(self, at: Moment) -> bytes:
        """Begin a tail, in a file of its own. Returns its first frame."""
        self._before, self._began = self._began, self._now()
        self._journal.written = self.position  # from now on it waits for what is written
        return framed(written(TailHead(FORMAT, at)))

    def not_begun(self) -> None:
        """Note that there is no new file: events go where they went before."""
        self._began = self._before

    def take(self, most: int = MOST_PUSHES) -> bytes:
        """Return what is to be written now, `most` pushes at the most; empty if that is nothing.

        `written` says that it was. Without it the same is taken again.
        """
        self._taken, self._hole = self.position, 0
        frames: list[bytes] = []
        while len(frames) < most and (push := self._push()) is not None:
            frames.append(self._framed(push))
        if not frames and self._now() - self._lived_at >= SIGN_OF_LIFE_SECONDS:
            frames.append(self._framed(Push(VERSION, self._journal.origin.name, self._taken + 1, 1, 0, [])))
        return b"".join(frames)

    def written(self) -> None:
        """Note that what `take` returned is in the file."""
        self.position = self._journal.written = self._taken
        self.holes += self._hole
        self._lived_at = self._now()

    def end(self, *, handed_on: bool = False) -> bytes:
        """Return the last frame of a life that has written everything. `handed_on`: all peers have it too."""
        return framed(written(TailEnd(self._later_ms(), handed_on)))

    @property
    def lag_events(self) -> int:
        """How many events are not written yet."""
        return self._journal.latest - self.position

    def _push(self) -> Push | None:
        journal = self._journal
        first = self._taken + 1
        if first <= journal.blank:
            self._taken = journal.blank
            return Push(VERSION, journal.origin.name, first, 1, 0, [NOTHING] * (journal.blank + 1 - first))
        if first < journal.oldest:
            self._hole += journal.oldest - first
            first = journal.oldest
        if first > journal.latest:
            return None
        events, taken = journal.read(first, MAX_EVENTS)
        later_seconds = journal.later_seconds(first, len(events))
        self._taken = first + len(events) - 1
        age_ms = max(0, int((self._now() - taken) * 1000))
        return Push(VERSION, journal.origin.name, first, 1, age_ms, events, later_seconds)

    def _framed(self, push: Push) -> bytes:
        try:
            body = _encode(push)
        except Exception:  # one event of a fault of ours must not stop the tail: its number is kept
            events = [event if _is_writable(event) else NOTHING for event in push.events]
            body = _encode(Push(push.version, push.origin, push.first, 1, push.age_ms, events, push.later_seconds))
        return framed(written(TailPush(self._later_ms(), body)))

    def _later_ms(self) -> int:
        return int((self._now() - self._began) * 1000)


def _is_writable(event: object) -> bool:
    try:
        _encode(event)
    except Exception:
        return False
    return True
