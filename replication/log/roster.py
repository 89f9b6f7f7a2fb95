# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Who else is on the log, by this node's own clock. Pure; owned by the event loop, read by any thread.

A node is present while its announcement changes. The log server's clock has no say: it may jump. Time in which this
node could not see the announcements counts for nothing. A node whose announcement is gone, as after a flush, has not
said goodbye.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from replication.features import FEATURES
from replication.log.announcement import Announcement, read
from replication.log.server import Position

BEAT_SECONDS = 0.5
SILENCE_SECONDS = 3 * BEAT_SECONDS
GOODBYE_SECONDS = 30.0  # for so long a goodbye stands in the log server
MOST_NODES = 256


class Known:
    """One life of another node.

    `latest`: what it announced last, and `body` the same as it stands in the log server.
    `heard`: when that changed last, in the roster's time.
    `changed`: it has changed while this node looked.
    """

    __slots__ = ("body", "changed", "heard", "latest", "stalled")

    def __init__(self, latest: Announcement, body: bytes, heard: float) -> None:
        self.latest = latest
        self.body = body
        self.heard = heard
        self.changed = False
        self.stalled: dict[str, int] = {}  # watermarks that did not move since the announcement before


class OwnMoment(NamedTuple):
    """How this node was when it announced itself: its place in the stream, and its watermarks there."""

    position: Position
    vector: Mapping[str, int]


class Roster:
    """The other nodes by origin.

    `place`: this node's own. `keep_seconds`: how long a node that fell silent matters.
    `unreadable`: how many announcements could not be read at the last look.
    """

    def __init__(self, origin: str, place: tuple[str, str], keep_seconds: float) -> None:
        self._origin = origin
        self._place = place
        self._keep_seconds = keep_seconds
        self._known: dict[str, Known] = {}
        self._time = 0.0  # that this node has looked for
        self._looked = 0.0
        self._resumed = 0.0  # when this node began to look again after it could not, in the roster's time
        self.unreadable = 0

    def take(self, announcements: Mapping[str, bytes], now: float) -> None:
        """Look at what stands in the log server."""
        if self._looked:
            self._time += min(max(0.0, now - self._looked), 2 * BEAT_SECONDS)
            if now - self._looked > SILENCE_SECONDS:
                self._resumed = self._time
        self._looked = now
        known = {origin: each for origin, each in self._known.items() if not self._is_over(each)}
        self.unreadable = 0
        for origin, body in announcements.items():
            if origin == self._origin or len(known) >= MOST_NODES:
                continue
            before = self._known.get(origin)
            if before is not None and before.body == body:
                known[origin] = before
            elif (found := read(body)) is None or found.origin != origin:
                self.unreadable += 1
            else:
                known[origin] = self._news(before, found, body)
        self._known = known

    def _is_over(self, known: Known) -> bool:
        """Whether a life needs not be known any longer, if it does not stand in the log server either."""
        return known.latest.left or self.silent_seconds(known) > self._keep_seconds

    def over(self) -> list[Known]:
        """Return the lives that need not stand in the log server any longer."""
        return [
            each
            for each in self._known.values()
            if self._is_over(each) and (not each.latest.left or self.silent_seconds(each) > GOODBYE_SECONDS)
        ]

    def _news(self, before: Known | None, found: Announcement, body: bytes) -> Known:
        if before is None:
            return Known(found, body, self._time)
        old = before.latest.vector
        before.stalled = {origin: seq for origin, seq in found.vector.items() if old.get(origin) == seq}
        before.latest, before.body, before.heard, before.changed = found, body, self._time, True
        return before

    def silent_seconds(self, known: Known) -> float:
        """Return for how long a node has not announced anything."""
        return self._time - known.heard

    def is_present(self, known: Known) -> bool:
        """Return whether a life is here now."""
        return not known.latest.left and self.silent_seconds(known) <= SILENCE_SECONDS

    def all(self) -> list[Known]:
        """Return all lives known that have not said goodbye, present or not."""
        return [each for each in list(self._known.values()) if not each.latest.left]

    def present(self) -> list[Known]:
        """Return those that are here now."""
        return [each for each in self.all() if self.silent_seconds(each) <= SILENCE_SECONDS]

    def lapsed(self) -> list[Known]:
        """Return those that fell silent without a goodbye, and that no other life stands in for."""
        taken = {self._place, *(each.latest.place for each in self.present() if each.changed)}
        return [
            each
            for each in self.all()
            if self.silent_seconds(each) > SILENCE_SECONDS and each.latest.place not in taken
        ]

    def here_or_missed(self) -> list[Known]:
        """Return the nodes present and those lapsed, in order of origins."""
        return sorted([*self.present(), *self.lapsed()], key=lambda each: each.latest.origin)

    def is_current(self, now: float) -> bool:
        """Return whether this node has looked lately, and has heard all others since it began to look again."""
        if now - self._looked > SILENCE_SECONDS:
            return False
        return all(each.heard > self._resumed or not self._resumed for each in self.present())

    def alive(self) -> list[Known]:
        """Return those that have caught up and were seen to announce."""
        return [each for each in self.present() if each.changed and each.latest.joined]

    @property
    def decided(self) -> bool:
        """Whether it is known of each that it is alive or not."""
        return all(each.changed or self.silent_seconds(each) > SILENCE_SECONDS for each in self.all())

    def acknowledged(self, appended: int) -> int:
        """Return up to which of this node's events every node present has all; `appended` if there is none."""
        return min((self.seen(each) for each in self.present()), default=appended)

    def seen(self, known: Known) -> int:
        """Return up to which of this node's events another one has all."""
        return known.latest.vector.get(self._origin, 0)

    def features(self) -> frozenset[str]:
        """Return what every node present understands."""
        found = FEATURES
        for each in self.present():
            found &= frozenset(each.latest.features)
        return found

    def lacking(self, known: Known, moments: Iterable[OwnMoment], oldest: Mapping[str, int]) -> bool:
        """Return whether a node lacks something that this node has and that no origin can append again.

        `moments`: how this node was lately, the latest last. `oldest`: what each origin present can append again. It
        counts if the other has read all that this node had read, and did not get ahead since the time before.
        """
        latest = known.latest
        if not latest.caught_up:
            return False
        mine = next((each for each in reversed(list(moments)) if each.position <= latest.at), None)
        return mine is not None and any(
            seq > (seen := latest.vector.get(origin, 0))
            and not _can_append(origin, seen, oldest)
            and known.stalled.get(origin, 0) == seen
            for origin, seq in mine.vector.items()
            if origin != latest.origin
        )

    def oldest(self, own: int) -> dict[str, int]:
        """Return the number of the first event that each node present can append again; `own` is this node's."""
        return {**{each.latest.origin: each.latest.oldest for each in self.present()}, self._origin: own}

    def lacked(self, own: OwnMoment, oldest: Mapping[str, int]) -> dict[str, int]:
        """Return the origins of which a node present has more than this one, that cannot append it again, and this
        node's watermarks of them. It has read all that the other had read."""
        return {
            origin: seen
            for each in self.present()
            if each.latest.at <= own.position
            for origin, seq in each.latest.vector.items()
            if origin != self._origin
            and seq > (seen := own.vector.get(origin, 0))
            and not _can_append(origin, seen, oldest)
        }

    def bounds(self, snapshot: str, known: Iterable[Known]) -> float:
        """Return how old a snapshot is by the clocks of some nodes; 0 if they do not know it yet."""
        ages = (each.latest.snapshot_age_ms for each in known if each.latest.snapshot == snapshot)
        return max((age / 1000 for age in ages if age >= 0), default=0.0)


def _can_append(origin: str, seen: int, oldest: Mapping[str, int]) -> bool:
    """Return whether an origin is present and still has what is behind a watermark of it."""
    return origin in oldest and oldest[origin] <= seen + 1
