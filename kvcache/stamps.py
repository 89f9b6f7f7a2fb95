# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What orders saves and drops among nodes: wall-clock time in ns that never goes back and never falls behind a peer's.

A hybrid clock (Kulkarni et al. 2014, "Logical Physical Clocks") without its counter, for which nanoseconds leave room:
what is stamped after another stamp was seen is later than it, whatever the clocks say. Any thread.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock

LATEST_STAMP = 2**62
"""Of what peers take: nanoseconds until 2116."""
FOLLOWED_STAMP = LATEST_STAMP - 2**60
"""The last stamp that a node stamps later than. From there on there are 36 years of nanoseconds, one for each save."""


class Stamps:
    """One node's stamps."""

    def __init__(self, wall_ns: Callable[[], int]) -> None:
        self._wall_ns = wall_ns
        self._lock = Lock()
        self._last = 0

    def next(self) -> int:
        """Return a stamp later than all before."""
        with self._lock:
            self._last = min(max(self._wall_ns(), self._last + 1), LATEST_STAMP)
            return self._last

    def seen(self, stamp: int) -> None:
        """Note a stamp that a peer made. One from after 2079 is followed no further: stamps must not run out."""
        with self._lock:
            self._last = max(self._last, min(stamp, FOLLOWED_STAMP))
