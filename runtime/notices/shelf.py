# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The notices of one node, as far as there is room for them. Pure; guarded by its owner's lock.

Always holds: a kind that comes often pushes out its own, before it pushes out any other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

from runtime.notices.kind import Kind
from runtime.notices.notice import Notice

MOST_BYTES: Final = 512 * 1024
"""Of one node's notices: a few hundred with the longest texts, thousands of the usual ones."""
KIND_SHARE: Final = 4
"""A kind may have one in so many of the places."""

Key = tuple[str, int]
"""A notice's origin and number."""


class Shelf:
    """The notices of one node, the one that changed last at the end.

    `most`: how many it holds.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._notices: dict[Key, Notice] = {}
        self._kinds: Counter[Kind] = Counter()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._notices)

    def __iter__(self) -> Iterator[Notice]:
        return iter(self._notices.values())

    def get(self, key: Key) -> Notice | None:
        """Return a notice by its origin and number; None if it is not here."""
        return self._notices.get(key)

    def put(self, notice: Notice) -> None:
        """Add a notice, or replace it by what became of it. Others make room if need be."""
        key = notice.origin, notice.number
        self.remove(key)
        self._notices[key] = notice
        self._kinds[notice.kind] += 1
        self._bytes += notice.size
        if self._kinds[notice.kind] * KIND_SHARE > self._most:
            self._forget_oldest(notice.kind)
        while len(self._notices) > self._most or self._bytes > MOST_BYTES:
            self.forget_one()

    def remove(self, key: Key) -> None:
        """Remove a notice, if it is here."""
        notice = self._notices.pop(key, None)
        if notice is not None:
            self._bytes -= notice.size
            self._kinds[notice.kind] -= 1

    def forget_one(self) -> None:
        """Remove the oldest of the kind that has most."""
        (kind, _), *_ = self._kinds.most_common(1)
        self._forget_oldest(kind)

    def _forget_oldest(self, kind: Kind) -> None:
        self.remove(next(key for key, notice in self._notices.items() if notice.kind is kind))
