# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""A ledger as a peer that runs the Go version uses it."""

from __future__ import annotations

from loadstats.ledger.cause import GATEWAY
from loadstats.ledger.event import LATEST, Added, Done, FirstToken
from loadstats.ledger.replica import LedgerReplica


class LegacyLedgerAdapter:
    """Takes the calls of such a peer's clients: they count, carry no dot and are not journalled."""

    def __init__(self, replica: LedgerReplica) -> None:
        self._replica = replica

    def add(
        self,
        request_id: str,
        cluster: str,
        engine: str,
        prompt_length: int,
        now: float,
        wall_ns: int,
        owner: str = "",
        match: object = None,
        attempt: int = LATEST,
        incarnation: str = "",
        client: str = "",
    ) -> None:
        """Add a request."""
        self._replica.apply([Added(request_id, cluster, engine, prompt_length, "", attempt)], None, 0, now, wall_ns)

    def cluster_of(self, request_id: str) -> str | None:
        """Return None: a peer speaks of all clusters."""
        return None

    def first_token(self, request_id: str, now: float, wall_ns: int, attempt: int = LATEST, client: str = "") -> None:
        """End a request's prefill."""
        self._replica.apply([FirstToken(request_id, attempt)], None, 0, now, wall_ns)

    def done(
        self, request_id: str, now: float, wall_ns: int, cause: int = GATEWAY, attempt: int = LATEST, client: str = ""
    ) -> None:
        """End a request."""
        self._replica.apply([Done(request_id, cause, attempt)], None, 0, now, wall_ns)
