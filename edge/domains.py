# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Requests counted by their `domain` query parameter, as the Go version's dashboards show them.

Clients choose these names, so only the first 100 become label values; the rest is `other`. Owned by the event loop.
"""

from __future__ import annotations

from edge.call import query_value
from edge.errors import InvalidInput

MOST = 100
LONGEST = 128


class Domains:
    """Counts by domain."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    def count(self, query: bytes) -> None:
        """Count a request with this query string if it names a domain."""
        try:
            domain = query_value(query, b"domain")
        except InvalidInput:
            return
        if not domain:
            return
        if domain not in self._counts and (len(self._counts) >= MOST or len(domain) > LONGEST):
            domain = "other"
        self._counts[domain] = self._counts.get(domain, 0) + 1

    def items(self) -> list[tuple[str, int]]:
        """Return domains and their counts."""
        return list(self._counts.items())
