# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What orders saves and drops among nodes: wall-clock time in ns that never goes back and never falls behind a peer's.

A hybrid clock (Kulkarni et al. 2014, "Logical Physical Clocks") without its counter, for which nanoseconds leave room:
what is stamped after another stamp was seen is later than it, whatever the clocks say. Any thread.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock


class Stamps:
    """One node's stamps."""

    def __init__(self, wall_ns: Callable[[], int]) -> None:
        self._wall_ns = wall_ns
        self._lock = Lock()
        self._last = 0

    def next(self) -> int:
        """Return a stamp later than all before."""
        with self._lock:
            self._last = max(self._wall_ns(), self._last + 1)
            return self._last

    def seen(self, stamp: int) -> None:
        """Note a stamp that a peer made."""
        with self._lock:
            self._last = max(self._last, stamp)
