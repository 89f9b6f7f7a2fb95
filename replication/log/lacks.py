# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What this node and the others on the log lack of each other, by what all of them announced. Pure; owned by the event
loop, read by any thread.

Two things bring what is lacking: its origin appends it again, or a node that has it writes a snapshot.
"""

from __future__ import annotations

from collections import deque

from replication.journal import Journal
from replication.log.announcement import Announcement
from replication.log.roster import OwnMoment, Roster
from replication.messages import MAX_EVENTS
from replication.replica import Replica

PATIENT_BEATS = 3  # what this node had so long ago, others must have too


class Lacks:
    """What is lacking.

    `own`: this node lacked something at its last look, or could not say, for it had not read all there was.
    `others`: a node still lacks what this one has and its origin cannot append, and no snapshot is there that the node
        could load.
    `dominated`: another node has all that this one has. So it can write what a third one lacks. Of equal nodes the one
        with the lowest origin is not dominated.

    What this node lacks for certain is in `Replica.missing`: at two looks running.
    """

    def __init__(self, replica: Replica, journal: Journal, roster: Roster) -> None:
        self._replica = replica
        self._journal = journal
        self._roster = roster
        self._moments: deque[OwnMoment] = deque(maxlen=8)
        self._before: dict[str, int] = {}  # what was lacking at the last look, with this node's watermarks
        self.own = True
        self.others = False
        self.dominated = False

    def begin_anew(self) -> None:
        """Forget places in a generation that is over."""
        self._moments.clear()
        self.own = True

    def look(self, own: Announcement, snapshot: str, *, caught_up: bool) -> None:
        """Compare this node's announcement with the others'. `snapshot` is the latest one, empty if there is
        none."""
        replica, roster = self._replica, self._roster
        mine = OwnMoment(own.at, own.vector)
        self._moments.append(mine)
        oldest = roster.oldest(self._journal.oldest)
        now = roster.lacked(mine, oldest) if caught_up else {}
        replica.missing = {origin for origin, seen in now.items() if self._before.get(origin) == seen}
        self._before = now
        self.own = bool(now) or not caught_up
        self.others = any(
            snapshot in ("", each.latest.loaded) and roster.lacking(each, self._moments, oldest)
            for each in roster.present()
        )
        self.dominated = any(
            _has_all(each.latest, own) and not (_has_all(own, each.latest) and own.origin < each.latest.origin)
            for each in roster.alive()
        )

    def behind(self, now: float) -> bool:
        """Return whether some other node may not know all of this one's events."""
        roster, journal, moments = self._roster, self._journal, self._moments
        if not roster.is_current(now) or roster.lapsed():
            return True
        before = moments[-min(PATIENT_BEATS, len(moments))].vector.get(self._replica.origin, 0) if moments else 0
        least = max(before, journal.latest - MAX_EVENTS, journal.oldest - 1)
        return any(roster.seen(each) < least or not each.latest.caught_up for each in roster.present())


def _has_all(one: Announcement, other: Announcement) -> bool:
    """Return whether one node has all that another has, but for what that can append again."""
    needs = {**other.vector, other.origin: other.oldest - 1}
    return all(one.vector.get(origin, 0) >= seq for origin, seq in needs.items())
