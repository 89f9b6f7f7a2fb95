# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The last event of each origin before which this node has seen all. Owned by whoever owns the `Replica`.

An origin is a node's life, and lives end. One may be forgotten once nothing that it reported can be here, or arrive:
no record has it, and it was still for as long as a record may live. Else its records would look new to this node.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

ENOUGH: Final = 256
"""Up to so many, none is forgotten."""

MOST: Final = 1023
"""With this node's own as many as a message holds. Over it the origin goes that was still for longest, whatever it has
here: so many lives within one record's are no nodes'."""


class Watermarks:
    """The watermarks.

    `lifetime_seconds` returns how long a record may live, `has_records` whether one of an origin is here.
    """

    def __init__(self, lifetime_seconds: Callable[[], float], has_records: Callable[[str], bool]) -> None:
        self._lifetime_seconds = lifetime_seconds
        self._has_records = has_records
        self._seen: dict[str, int] = {}  # the one that moved last stands last
        self._moved: dict[str, float] = {}  # by origin, as of the last `tick`
        self._now: float | None = None

    def __contains__(self, origin: str) -> bool:
        return origin in self._seen

    def seen(self, origin: str) -> int:
        """Return the watermark of an origin, 0 for one that is not known."""
        return self._seen.get(origin, 0)

    def all(self) -> Mapping[str, int]:
        """Return all of them. Not to be changed."""
        return self._seen

    def tick(self, now: float) -> None:
        """Note the time, every few seconds. What moved before the first time moved then."""
        if self._now is None:
            self._moved = dict.fromkeys(self._seen, now)
        self._now = now

    def advance(self, origin: str, seq: int) -> None:
        """Set the watermark of an origin, which has moved now."""
        self._seen.pop(origin, None)
        self._seen[origin] = seq
        if self._now is not None:
            self._moved[origin] = self._now
        if len(self._seen) > ENOUGH:
            self._forget_one()

    def clear(self) -> None:
        """Forget all."""
        self._seen.clear()
        self._moved.clear()

    def _forget_one(self) -> None:
        stillest = next(iter(self._seen))
        found = next(filter(self._may_go, self._seen), None)
        if found is None and len(self._seen) > MOST:
            found = stillest
        if found is not None:
            del self._seen[found]
            self._moved.pop(found, None)

    def _may_go(self, origin: str) -> bool:
        if self._now is None:
            return False
        return self._moved[origin] + self._lifetime_seconds() < self._now and not self._has_records(origin)
