# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""When engines last lost their caches: what was saved before that and comes after it is not taken.

Owned by the index and used under its lock. Always true: of an engine, and of a cluster as a whole, only the latest drop
is kept, and of all at most as many as there may be.

An engine without an entry of its own uses its address's. The drop of an engine that has a port or a rank leaves its
address's entry to its neighbours. For the engine itself, only what was saved later by the address counts from then on:
that is its floor.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice, takewhile
from typing import NamedTuple

from edge.engine_name import address_in

NEVER = -1
MOST_FLOORS = 1_024  # of a cluster: a query for a choice looks at each, for 0.7 µs at most


class Floor(NamedTuple):
    """Of the entry at `address`, an engine uses what is stamped later than `stamp`."""

    address: str
    stamp: int


class Drop(NamedTuple):
    """`stamp` is the drop's own, the same on every node; `tick` is when this node heard of it."""

    stamp: int
    tick: int


class Drops:
    """The latest drops by cluster and engine, those heard of longest ago first; engine None is all of a cluster.

    `floors`: by cluster, the floors of engines that were dropped and have a port or a rank; another object whenever
    they are others.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._drops: dict[tuple[str, str | None], Drop] = {}
        self.floors: dict[str, dict[str, Floor]] = {}

    def __len__(self) -> int:
        return len(self._drops)

    def __iter__(self) -> Iterator[tuple[tuple[str, str | None], Drop]]:
        return iter(self._drops.items())

    def add(self, cluster: str, engine: str | None, stamp: int, tick: int) -> bool:
        """Remember a drop. False where this one or a later one was known."""
        key = cluster, engine
        known = self._drops.get(key)
        if known is not None:
            if known.stamp >= stamp:
                return False
            del self._drops[key]
        elif len(self._drops) >= self._most:
            self._forget(next(iter(self._drops)))
        self._drops[key] = Drop(stamp, tick)
        if engine is not None and (address := address_in(engine)) != engine:
            floors = {**self.floors.get(cluster, {}), engine: Floor(address, stamp)}
            if len(floors) > MOST_FLOORS:
                del floors[next(iter(floors))]
            self.floors[cluster] = floors
        return True

    def last(self, cluster: str, engine: str) -> int:
        """The stamp of the latest drop that an engine had, by itself or with all others."""
        if not self._drops:
            return NEVER
        latest = NEVER
        for key in ((cluster, engine), (cluster, None)):
            drop = self._drops.get(key)
            if drop is not None and drop.stamp > latest:
                latest = drop.stamp
        return latest

    def forget(self, until: int, most: int) -> int:
        """Forget drops heard of up to a tick, `most` of them. Returns how many."""
        due = [key for key, _ in islice(takewhile(lambda item: item[1].tick <= until, self), most)]
        for key in due:
            self._forget(key)
        return len(due)

    def _forget(self, key: tuple[str, str | None]) -> None:
        del self._drops[key]
        cluster, engine = key
        floors = self.floors.get(cluster)
        if engine is None or floors is None or engine not in floors:
            return
        rest = {name: floor for name, floor in floors.items() if name != engine}
        if rest:
            self.floors[cluster] = rest
        else:
            del self.floors[cluster]
