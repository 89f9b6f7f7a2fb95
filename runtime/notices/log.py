# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The log of notices: what this node reported, and what its peers did. Pure; any thread; one lock guards it.

Always holds: it is bounded in number and bytes, by node and by kind. What repeats within `MERGE_SECONDS` is one notice
with a count. A kind that has had its most in a short time goes on as one notice for all the rest.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from threading import Lock
from time import monotonic
from typing import Final

from msgspec.structs import replace

from runtime.notices.kind import SEVERITIES, Kind, Severity
from runtime.notices.notice import (
    LONGEST_ORIGIN,
    MOST_TIMES,
    Notice,
    NoticeCopy,
    Subject,
    copy_of,
    line_text,
    name_text,
    notice_of,
)
from runtime.notices.shelf import Shelf

MERGE_SECONDS: Final = 600.0
MOST_OWN: Final = 400
MOST_OF_PEER: Final = 200
MOST_OF_PEERS: Final = 1600
MOST_NODES: Final = 128
"""Other nodes, and lives of this one before, whose notices are kept."""
MOST_ORIGINS: Final = 256
BURST: Final = 30
"""Notices of one kind that may come at once; then one in `REFILL_SECONDS` has a place of its own."""
REFILL_SECONDS: Final = 10.0
MOST_COPIES: Final = 50
"""Notices in one message: about a millisecond of its receiver."""
REST: Final = Subject(item="several")
"""What a notice is about that stands for the rest of its kind."""

_Likeness = tuple[Kind, Severity, Subject]


class NoticeLog:
    """The log of one node's life.

    `origin`: this life's name; another one for each start.
    `node`: this node's name.

    `now` returns monotonic seconds.
    """

    def __init__(self, origin: str, node: str, now: Callable[[], float] = monotonic) -> None:
        self.origin = origin[:LONGEST_ORIGIN]
        self.node = name_text(node)
        self._now = now
        self._lock = Lock()
        self._revision = 0
        self._own = Shelf(MOST_OWN)
        self._others: dict[str, Shelf] = {}  # by node, the one heard of last at the end
        self._held = 0  # notices of all of them
        self._latest: dict[_Likeness, int] = {}  # by what is alike, the number of the notice that the next one joins
        self._seen: dict[str, int] = {}  # by origin, the last revision before which all were taken
        self._tokens = {kind: (float(BURST), now()) for kind in Kind}
        self._counts: Counter[Kind] = Counter()
        self._sorted: tuple[Notice, ...] | None = ()

    # What this node reports

    def report(
        self,
        kind: Kind,
        text: str,
        *,
        cluster: str = "",
        engine: str = "",
        gateway: str = "",
        peer: str = "",
        item: str = "",
        severity: Severity | None = None,
    ) -> None:
        """Report that something happened. Never waits and never raises for what names and texts hold. About 5 µs.

        `text`: what happened, as a sentence for people. Where it repeats, the last one is shown.
        `severity`: where it is not the kind's own.
        """
        subject = Subject(*map(name_text, (cluster, engine, gateway, peer, item)))
        line = line_text(text)
        grave = SEVERITIES.get(kind, Severity.INFO) if severity is None else severity
        with self._lock:
            self._counts[kind] += 1
            now = self._now()
            if self._repeat((kind, grave, subject), line, now):
                return
            if not self._take_token(kind, now):
                subject, line = REST, line_text(f"More than are listed one by one. The last: {line}")
                if self._repeat((kind, grave, subject), line, now):
                    return
            self._add(kind, grave, subject, line, now)

    def counts(self) -> dict[Kind, int]:
        """Return how often each kind was reported in this life."""
        with self._lock:
            return {kind: self._counts[kind] for kind in Kind}

    def _repeat(self, likeness: _Likeness, text: str, now: float) -> bool:
        """Count a repetition in the notice that it repeats. Returns False if there is none."""
        number = self._latest.get(likeness)
        last = None if number is None else self._own.get((self.origin, number))
        if last is None or now - last.at > MERGE_SECONDS:
            return False
        self._revision += 1
        times = min(last.times + 1, MOST_TIMES)
        self._own.put(replace(last, revision=self._revision, at=now, times=times, text=text))
        self._sorted = None
        return True

    def _add(self, kind: Kind, severity: Severity, subject: Subject, text: str, now: float) -> None:
        self._revision += 1
        number = self._revision
        self._own.put(Notice(self.origin, number, number, kind, severity, self.node, now, now, 1, subject, text))
        if len(self._latest) >= 2 * MOST_OWN:
            self._latest = {(each.kind, each.severity, each.subject): each.number for each in self._own}
        self._latest[kind, severity, subject] = number
        self._sorted = None

    def _take_token(self, kind: Kind, now: float) -> bool:
        left, at = self._tokens[kind]
        left = min(float(BURST), left + (now - at) / REFILL_SECONDS)
        self._tokens[kind] = (left - 1 if left >= 1 else left), now
        return left >= 1

    # Among nodes

    def seen(self) -> dict[str, int]:
        """Return for each origin the last revision before which this log has taken all, its own included."""
        with self._lock:
            return {**self._seen, self.origin: self._revision} if self._revision else dict(self._seen)

    def beyond(self, seen: Mapping[str, int], most: int = MOST_COPIES) -> list[NoticeCopy]:
        """Return copies of what a peer with these revisions lacks, the oldest first, at most so many."""
        with self._lock:
            lacking = [each for each in self._all() if each.revision > seen.get(each.origin, 0)]
            lacking.sort(key=lambda each: each.revision)
            now = self._now()
        return [copy_of(each, now) for each in lacking[:most]]

    def own_beyond(self, revision: int, most: int) -> list[NoticeCopy]:
        """Return copies of this node's notices that changed behind a revision, the oldest change first."""
        with self._lock:
            lacking = sorted((each for each in self._own if each.revision > revision), key=lambda each: each.revision)
            now = self._now()
        return [copy_of(each, now) for each in lacking[:most]]

    def latest(self, most: int) -> list[NoticeCopy]:
        """Return copies of what happened last on any node."""
        newest = self.newest_first()[:most]
        now = self._now()
        return [copy_of(each, now) for each in newest]

    def own_latest(self, most: int) -> list[NoticeCopy]:
        """Return copies of the last notices of this node."""
        with self._lock:
            latest = list(self._own)[-most:]
            now = self._now()
        return [copy_of(each, now) for each in latest]

    def take(self, copies: Iterable[NoticeCopy], *, older_seconds: float = 0.0, partial: bool = False) -> int:
        """Take copies, in the order in which `beyond` gives them. Returns how many were news.

        `older_seconds`: how long ago the ages were told.
        `partial`: others may be missing before them, so that they are still to be asked for.
        """
        news = 0
        with self._lock:
            now = self._now()
            for copy in copies:
                if copy.origin == self.origin:
                    continue
                if not partial:
                    self._note_seen(copy.origin, copy.revision)
                notice = notice_of(copy, now - max(0.0, older_seconds))
                if notice is not None:
                    news += self._put_other(notice)
            if news:
                self._sorted = None
        return news

    def _note_seen(self, origin: str, revision: int) -> None:
        known = self._seen.pop(origin, 0)
        self._seen[origin] = max(known, revision)
        if len(self._seen) > MOST_ORIGINS:
            del self._seen[next(iter(self._seen))]

    def _put_other(self, notice: Notice) -> bool:
        """Put a peer's notice onto its node's shelf. Returns False if it is known."""
        shelf = self._others.pop(notice.node, None) or Shelf(MOST_OF_PEER)
        self._others[notice.node] = shelf
        known = shelf.get((notice.origin, notice.number))
        if known is not None and known.revision >= notice.revision:
            return False
        held = len(shelf)
        shelf.put(notice)
        self._held += len(shelf) - held
        if len(self._others) > MOST_NODES:
            self._held -= len(self._others.pop(next(iter(self._others))))
        if self._held > MOST_OF_PEERS:
            max(self._others.values(), key=len).forget_one()
            self._held -= 1
        return True

    # For those who read

    def newest_first(self) -> tuple[Notice, ...]:
        """Return all notices, the one that happened last first. Sorted once for all who ask before the next one."""
        with self._lock:
            if self._sorted is None:
                order = sorted(self._all(), key=lambda each: (each.at, each.origin, each.number), reverse=True)
                self._sorted = tuple(order)
            return self._sorted

    def __len__(self) -> int:
        with self._lock:
            return len(self._own) + self._held

    def _all(self) -> list[Notice]:
        return [each for shelf in (self._own, *self._others.values()) for each in shelf]
