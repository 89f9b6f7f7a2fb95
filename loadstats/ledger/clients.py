# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The clients that hold something here, and how much of a cap each may hold.

Owned by the ledger; every method wants its lock held. Always true: a client is known exactly while it holds something.

As long as no more than half of a cap is used, anybody may use it. From then on a client takes more only while it
holds less than its share. A node counts what its own clients reported; everything is on all nodes, so the share is
divided by their number: else a client would hold a share by way of each of them.
"""

from __future__ import annotations

from collections.abc import Iterator

from loadstats.ledger.client import LedgerClient
from loadstats.ledger.limits import LedgerLimits


class Clients:
    """The clients by name.

    `nodes`: how many nodes are known, this one included.
    `by_name`: the clients; always the same dict.
    """

    def __init__(self, limits: LedgerLimits) -> None:
        self.nodes = 1
        self._share = limits.client_share
        self.by_name: dict[str, LedgerClient] = {}

    def __len__(self) -> int:
        return len(self.by_name)

    def __iter__(self) -> Iterator[LedgerClient]:
        return iter(self.by_name.values())

    def of(self, name: str) -> LedgerClient:
        """Return the client of this name, known from now on. The caller gives it something to hold."""
        client = self.by_name.get(name)
        if client is None:
            client = self.by_name[name] = LedgerClient(name)
        return client

    def held(self, name: str) -> LedgerClient | None:
        """Return the client of this name if it holds something."""
        return self.by_name.get(name)

    def share_of(self, cap: int) -> int:
        """Return how much of a cap one client may hold once more than half of it is used. At least 1."""
        return max(1, int(cap * self._share / self.nodes))

    def excess(self, cap: int, used: int, held: int) -> int:
        """Return the share that a client who holds so much may not go beyond; 0 if it may take more."""
        if used * 2 <= cap:
            return 0
        share = self.share_of(cap)
        return share if held >= share else 0

    def forget_idle(self, client: LedgerClient) -> None:
        """Forget a client that holds nothing."""
        if client.idle:
            self.by_name.pop(client.name, None)

    def clear(self) -> None:
        """Forget all. What they listed is cleared by its owner."""
        for client in self.by_name.values():
            client.engines.clear()
            client.owners.clear()
        self.by_name.clear()
