# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""How many requests of each gateway ended by age: a gateway with many does not report its ends.

Owned by the ledger; every method wants its lock held. Always true: at most `MOST` gateways are counted. Of more, the
one whose last such end is longest ago is forgotten.
"""

from __future__ import annotations

from loadstats.ledger.gateway import GatewayKey

MOST = 1000


class AgeEnds:
    """The counts, from this node's start on. They outlast the gateways' requests."""

    def __init__(self) -> None:
        self._counts: dict[GatewayKey, int] = {}  # the one counted last stands last

    def count(self, gateway: GatewayKey) -> None:
        """Count the end of one request."""
        counts = self._counts
        counts[gateway] = counts.pop(gateway, 0) + 1
        if len(counts) > MOST:
            del counts[next(iter(counts))]

    def copy(self) -> dict[GatewayKey, int]:
        """Return the counts of this moment."""
        return dict(self._counts)

    def clear(self) -> None:
        """Forget all."""
        self._counts.clear()
