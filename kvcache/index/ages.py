# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Engines by the age of what they hold, so that the one with the oldest blocks is found without looking at all.

Owned by the index and used under its lock. Always true: an engine is listed under the tick of its oldest run or an
earlier one. It is moved when it is looked at, so that a save costs nothing here.
"""

from __future__ import annotations

from heapq import heappop, heappush

from kvcache.index.cluster import CachedEngine


class Ages:
    """Live engines by tick."""

    def __init__(self) -> None:
        self._listed: dict[int, dict[int, CachedEngine]] = {}
        self._ticks: list[int] = []  # heap of the keys of _listed

    def add(self, engine: CachedEngine, tick: int) -> None:
        """List an engine that is not listed."""
        listed = self._listed.get(tick)
        if listed is None:
            listed = self._listed[tick] = {}
            heappush(self._ticks, tick)
        listed[engine.number] = engine
        engine.tick = tick

    def remove(self, engine: CachedEngine) -> None:
        """List an engine no more."""
        del self._listed[engine.tick][engine.number]

    def oldest(self, last: CachedEngine | None = None) -> CachedEngine | None:
        """The engine whose oldest run is the oldest, to the second, and of several any but `last`; None where none
        holds anything."""
        while self._ticks:
            listed = self._listed[self._ticks[0]]
            if not listed:
                del self._listed[heappop(self._ticks)]
                continue
            engine = next(iter(listed.values()))
            oldest = max(next(iter(engine.runs.values())).tick, engine.tick)
            if oldest == engine.tick and (engine is not last or len(listed) == 1):
                return engine
            self.remove(engine)
            self.add(engine, oldest)
        return None
