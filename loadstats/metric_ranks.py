# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Which of many things have samples of their own in a scrape, so that its size is bounded. Pure.

Owned by a collector; one scrape at a time uses it. While there are no more than `most`, all have. Of more, those with
the most load have. A thing's rank is its load: this scrape's and that of the scrapes before, each worth nine tenths of
the next. One that was shown keeps its place until another has twice its rank: so the same ones are shown, unless the
load really moves.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from heapq import nlargest
from typing import Generic, TypeVar

KEPT = 0.9  # of a rank from one scrape to the next
FORGOTTEN = 0.01  # a rank below it is none
LEAD = 2.0  # times the rank of a thing that is shown, which another must have

KeyT = TypeVar("KeyT", bound=Hashable)


class MetricRanks(Generic[KeyT]):
    """Chooses at most `most` things."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._shown: frozenset[KeyT] = frozenset()
        self._ranks: dict[KeyT, float] = {}

    def clear(self) -> None:
        """Begin anew: there is room for all."""
        self._shown, self._ranks = frozenset(), {}

    def choose(self, loads: Mapping[KeyT, float]) -> frozenset[KeyT]:
        """Take this scrape's load. Returns the things with the largest ranks."""
        before, shown = self._ranks, self._shown
        ranks = {key: load + KEPT * before.get(key, 0.0) for key, load in loads.items()}

        def place(key: KeyT) -> float:
            return LEAD * ranks[key] + FORGOTTEN if key in shown else ranks[key]

        self._shown = frozenset(nlargest(self._most, ranks, key=place))
        self._ranks = {key: rank for key, rank in ranks.items() if rank >= FORGOTTEN}
        return self._shown
