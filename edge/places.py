# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Places that clients hold for a while: connections, waiting calls, websockets, pages. Owned by the event loop.

Always holds: no client has more places than it may, and once more than half of all are taken, a client gets no further
one beyond its share. So one client alone cannot take the last place from the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from heapq import nlargest

from edge.errors import NoPlace

UNBOUNDED = 2**31


class Places:
    """The places of one kind.

    `kind`: what they are called, such as `waits`.
    `total`: how many are taken.
    `refused`: how often a client was refused one.

    `most`: places of one client, by the setting `setting`.
    `cap`: places in all, which somebody else counts; None if there is no such bound.
    `share`: of the cap, for one client, once more than half of it is taken.
    `on_refusal`: called with the kind, the client and the reason of each refusal.
    """

    def __init__(
        self,
        kind: str,
        setting: str,
        most: int,
        *,
        cap: int | None = None,
        share: float = 1.0,
        on_refusal: Callable[[str, str, str], None] = lambda kind, client, reason: None,
    ) -> None:
        self.kind = kind
        self.total = 0
        self.refused = 0
        self._setting = setting
        self._most = most
        self._cap = cap
        self._share = most if cap is None else max(1, int(cap * share))
        self._on_refusal = on_refusal
        self._held: dict[str, int] = {}

    @property
    def clients(self) -> int:
        """How many clients hold a place."""
        return len(self._held)

    def held(self, client: str) -> int:
        """Return how many places a client holds."""
        return self._held.get(client, 0)

    def fault(self, client: str) -> str:
        """Return why a client gets no further place; empty if it does."""
        held = self._held.get(client, 0)
        if held >= self._most:
            return f"{self.kind}: {client} has {held}, the most that one client may: [Quotas] {self._setting}"
        cap = self._cap
        if cap is not None and held >= self._share and 2 * self.total > cap:
            return (
                f"{self.kind}: {client} has {held}, and of all {cap} more than half are taken: "
                f"then one client may have {self._share}, [Quotas] Share"
            )
        return ""

    def refuse(self, client: str) -> str:
        """Return the same, and count and log that the client was refused, if it is."""
        reason = self.fault(client)
        if reason:
            self.refused += 1
            self._on_refusal(self.kind, client, reason)
        return reason

    def try_take(self, client: str) -> str:
        """Take a place. Returns why not, empty if it is taken."""
        reason = self.refuse(client)
        if not reason:
            self.take(client)
        return reason

    def take(self, client: str) -> None:
        """Take a place, whatever the limits."""
        self._held[client] = self._held.get(client, 0) + 1
        self.total += 1

    def give_back(self, client: str) -> None:
        """Give a place back."""
        left = self._held[client] - 1
        if left:
            self._held[client] = left
        else:
            del self._held[client]
        self.total -= 1

    @contextmanager
    def place(self, client: str) -> Iterator[None]:
        """Hold a place for as long as the block runs. Raises NoPlace."""
        reason = self.try_take(client)
        if reason:
            raise NoPlace(reason)
        try:
            yield
        finally:
            self.give_back(client)

    def largest(self, count: int) -> list[tuple[str, int]]:
        """Return the clients that hold most, with how many."""
        return nlargest(count, list(self._held.items()), key=lambda each: each[1])
