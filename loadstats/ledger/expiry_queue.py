# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Things that fall due, by tick, in linked lists: to place or remove one costs the same, however many there are.

Owned by the ledger and used under its lock. A link is in one list at most. The links point at each other and are
invisible to Python's garbage collector (`gc=False`, see `record.py`), so they are unlinked before they are dropped.
"""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heappop, heappush
from typing import Generic, TypeVar, cast

from msgspec import Struct


class Link(Struct, gc=False, eq=False):
    """A member of one list. It is equal to itself alone: comparing neighbours would walk the list.

    `prev`, `next`: its neighbours; None while it is in no list.
    """

    prev: Link | None = None
    next: Link | None = None


LinkT = TypeVar("LinkT", bound=Link)


class ExpiryQueue(Generic[LinkT]):
    """Lists by tick, the earliest first."""

    def __init__(self) -> None:
        self._heads: dict[int, Link] = {}
        self._ticks: list[int] = []  # heap of the keys of _heads

    def place(self, link: LinkT, tick: int) -> None:
        """Make an unlinked `link` fall due at `tick`."""
        head = self._heads.get(tick)
        if head is None:
            head = self._heads[tick] = Link()
            head.prev = head.next = head
            heappush(self._ticks, tick)
        last = head.prev
        assert last is not None
        last.next = link
        link.prev = last
        link.next = head
        head.prev = link

    @staticmethod
    def remove(link: LinkT) -> None:
        """Take a linked `link` out of its list."""
        before, after = link.prev, link.next
        assert before is not None
        assert after is not None
        before.next = after
        after.prev = before
        link.prev = link.next = None

    def pop_due(self, tick: int) -> LinkT | None:
        """Unlink and return one link due at `tick` or before; None when nothing is."""
        while self._ticks and self._ticks[0] <= tick:
            head = self._heads[self._ticks[0]]
            link = head.next
            if link is not head:
                due = cast("LinkT", link)  # only those are placed
                self.remove(due)
                return due
            head.prev = head.next = None
            del self._heads[heappop(self._ticks)]
        return None

    def pop_first(self) -> LinkT | None:
        """Unlink and return the first link, whenever it is due; None when there is none."""
        return self.pop_due(max(self._ticks)) if self._ticks else None

    def pop_due_at(self, tick: int) -> LinkT | None:
        """Unlink and return one link due at exactly `tick`; None when nothing is."""
        head = self._heads.get(tick)
        if head is None or head.next is head:
            return None
        due = cast("LinkT", head.next)  # only those are placed
        self.remove(due)
        return due

    def __iter__(self) -> Iterator[tuple[int, LinkT]]:
        """Yield each tick and link, the links of a tick in the order in which they were placed."""
        for tick, head in self._heads.items():
            link = head.next
            while link is not head:
                assert link is not None
                yield tick, cast("LinkT", link)
                link = link.next

    def clear(self) -> None:
        """Unlink everything."""
        if self._ticks:
            latest = max(self._ticks)
            while self.pop_due(latest) is not None:
                pass
