# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The events of peers that could not be taken. Pure; owned by the event loop, read by any thread.

The watermark moves over such an event: its origin pushes it to us no more. So this node has seen an add and lacks its
record, which to its peers would mean that the request is over. Until no such record can live any more, this node says
that it has seen the origin's events only up to the one before (`seen`).
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

MAX_ORIGINS = 256
SHOWN = 16


class LeftOutEvent(NamedTuple):
    """An event that could not be taken.

    `origin`, `seq`: its dot.
    `reason`: why it could not be.
    """

    origin: str
    seq: int
    reason: str


class _Hole(NamedTuple):
    seq: int
    until: float


class LeftOut:
    """Counts what was left out.

    `events`: how many events were.
    `latest`: the last of them.
    """

    def __init__(self) -> None:
        self.events = 0
        self.latest: deque[LeftOutEvent] = deque(maxlen=SHOWN)
        self._by_origin: dict[str, int] = {}
        self._holes: dict[str, _Hole] = {}

    def of(self, origin: str) -> int:
        """Return how many events of an origin were left out."""
        return self._by_origin.get(origin, 0)

    def add(self, origin: str, seq: int, reason: str, until: float) -> None:
        """Note an event. `until` is when no record that it may have added can live any more."""
        self.events += 1
        self.latest.append(LeftOutEvent(origin, seq, reason[:200]))
        self._by_origin[origin] = self._by_origin.pop(origin, 0) + 1  # the latest stands last
        hole = self._holes.pop(origin, None)
        self._holes[origin] = _Hole(seq if hole is None else min(seq, hole.seq), until)
        for known in (self._by_origin, self._holes):
            if len(known) > MAX_ORIGINS:
                del known[next(iter(known))]

    def seen(self, vector: dict[str, int], now: float) -> dict[str, int]:
        """Return watermarks as peers may believe them: none at or above an event that was left out."""
        for origin in [origin for origin, hole in self._holes.items() if hole.until <= now]:
            del self._holes[origin]
        if not self._holes:
            return vector
        return {
            origin: min(seq, self._holes[origin].seq - 1) if origin in self._holes else seq
            for origin, seq in vector.items()
        }
