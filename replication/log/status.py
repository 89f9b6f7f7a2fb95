# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""How this node stands with the log server. Owned by the event loop, read by any thread."""

from __future__ import annotations

import logging

from replication.log.clock import Clock
from replication.log.server import LogError, LogFull, LogStanding, Position, SnapshotPointer

logger = logging.getLogger("replication.log")

UNKNOWN_AGE = -1.0
# A log server that does not do all that it is asked, as where its user lacks a permission, seems to come back at each
# announcement. That is said once, and that it is there once it has done all for so long.
STEADY_SECONDS = 5.0


class LogStatus:
    """What is known of the log server.

    `up`: set while it does what is asked. Reading and appending wait for it; the next announcement sets it.
    `reason`: why it is not, for people; empty while it is.
    `full`: why it takes no more, although it answers; empty while it does.
    `since`: when `up` changed last, in monotonic seconds.
    `failures`: operations in a row that failed.
    `generation`: of the log that this node reads and appends to; empty before the first.
    `lost`: how often the log was lost: another generation began, or this node began one.
    `standing`: as it was at the last announcement; None before the first.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.up = clock.flag()
        self.reason = "not asked yet"
        self.full = ""
        self.since = clock.now()
        self.failures = 0
        self.generation = ""
        self.lost = 0
        self.standing: LogStanding | None = None
        self._offset = 0.0  # of the log server's clock, in seconds
        self._said = ""  # why it was away, as it stands in the node's log
        self._comes_and_goes = False
        self._pointer_id = ""
        self._pointer_born = 0.0  # when the latest snapshot was committed, by this node's clock

    def took(self, standing: LogStanding) -> None:
        """Note how the log stands."""
        now = self._clock.now()
        self.standing = standing
        self._offset = standing.now_ms / 1000 - now
        pointer = standing.pointer
        if pointer is not None and pointer.snapshot != self._pointer_id:
            self._pointer_id, self._pointer_born = pointer.snapshot, now

    def works(self) -> None:
        """Note that all is as it should be."""
        self.failures = 0
        if comes := not self.up.is_set():
            self.reason = ""
            self.since = self._clock.now()
            self.up.set()
        if self._comes_and_goes:
            comes = self._clock.now() - self.since >= STEADY_SECONDS
            self._comes_and_goes = not comes
        if comes:
            logger.info("the log is there: generation %s", self.generation)

    def failed(self, error: LogError) -> None:
        """Note that an operation failed."""
        self.failures += 1
        if isinstance(error, LogFull):
            self.full_up(error)
            if self.up.is_set():
                return
        reason, now = str(error) or type(error).__name__, self._clock.now()
        if self.up.is_set() and reason == self._said and now - self.since < STEADY_SECONDS:
            self._comes_and_goes = True
        elif self.up.is_set() or reason != self.reason:
            logger.warning("the log is away: %s; this node serves on from memory", reason)
            self._said = reason
        if self.up.is_set():
            self.up.clear()
            self.since = now
        self.reason = reason

    def full_up(self, error: LogFull) -> None:
        """Note that the log server has no room."""
        if not self.full:
            logger.warning("the log is full: %s", error)
        self.full = str(error) or "full"

    def roomy(self) -> None:
        """Note that it has taken something."""
        if self.full:
            logger.info("the log takes entries again")
            self.full = ""

    # Ages

    def elapsed_seconds(self, at_ms: int, bound: float) -> float:
        """Return how long ago something was, by the log server's clock: never below 0, and never above the bound."""
        return max(0.0, min(self._clock.now() + self._offset - at_ms / 1000, bound))

    @property
    def pointer(self) -> SnapshotPointer | None:
        """The latest snapshot, as far as it is known."""
        return None if self.standing is None else self.standing.pointer

    @property
    def gap(self) -> bool:
        """Whether the stream begins behind the latest snapshot: it was full, and was trimmed without one."""
        standing = self.standing
        if standing is None or standing.first is None or standing.pointer is None:
            return False
        return standing.pointer.generation == standing.generation and standing.first > standing.pointer.position

    def snapshot_age(self) -> float:
        """Return how old the latest snapshot is by this node's clock, below 0 if there is none."""
        return UNKNOWN_AGE if not self._pointer_id else max(0.0, self._clock.now() - self._pointer_born)

    def snapshot_was(self, seconds: float) -> None:
        """Note that the latest snapshot is older than this node has known it."""
        self._pointer_born = min(self._pointer_born, self._clock.now() - seconds)

    def rolled_back(self, read: Position, own: Position | None) -> bool:
        """Return whether the log is not the one that this node has read from and appended to: its stream is missing,
        or ends before what was in it."""
        standing = self.standing
        assert standing is not None
        if standing.last is None or standing.last < read:
            return True
        if own is None or standing.own_there:
            return False
        return standing.last < own or (standing.first is not None and standing.first <= own)
