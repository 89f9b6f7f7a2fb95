# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""When engines last lost their caches: what was saved before that and comes after it is not taken.

Owned by the index and used under its lock. Always true: of an engine, and of a cluster as a whole, only the latest drop
is kept, and of all at most as many as there may be.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice, takewhile
from typing import NamedTuple

NEVER = -1


class Drop(NamedTuple):
    """`stamp` is the drop's own, the same on every node; `tick` is when this node heard of it."""

    stamp: int
    tick: int


class Drops:
    """The latest drops by cluster and engine, those heard of longest ago first; engine None is all of a cluster."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._drops: dict[tuple[str, str | None], Drop] = {}

    def __len__(self) -> int:
        return len(self._drops)

    def __iter__(self) -> Iterator[tuple[tuple[str, str | None], Drop]]:
        return iter(self._drops.items())

    def add(self, cluster: str, ip: str | None, stamp: int, tick: int) -> bool:
        """Remember a drop. False where this one or a later one was known."""
        key = cluster, ip
        known = self._drops.get(key)
        if known is not None:
            if known.stamp >= stamp:
                return False
            del self._drops[key]
        elif len(self._drops) >= self._most:
            del self._drops[next(iter(self._drops))]
        self._drops[key] = Drop(stamp, tick)
        return True

    def last(self, cluster: str, ip: str) -> int:
        """The stamp of the latest drop that an engine had, by itself or with all others."""
        if not self._drops:
            return NEVER
        latest = NEVER
        for key in ((cluster, ip), (cluster, None)):
            drop = self._drops.get(key)
            if drop is not None and drop.stamp > latest:
                latest = drop.stamp
        return latest

    def forget(self, until: int, most: int) -> int:
        """Forget drops heard of up to a tick, `most` of them. Returns how many."""
        due = [key for key, _ in islice(takewhile(lambda item: item[1].tick <= until, self), most)]
        for key in due:
            del self._drops[key]
        return len(due)
