# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""How long and how much the ledger holds. Immutable."""

from __future__ import annotations

from msgspec import Struct

BUCKETS = 1024
SLICE = 256  # records or rows handled under one hold of the lock: 0.3 ms at about 1 µs each


class LedgerFull(Exception):
    """A cap was reached.

    `what`: requests, engines or owners.
    `cap`: the most that may be held.
    """

    def __init__(self, what: str, cap: int) -> None:
        super().__init__(f"{what} reached its cap of {cap}")
        self.what = what
        self.cap = cap


class LedgerLimits(Struct, frozen=True):
    """Times in ticks, which are seconds, and caps.

    `request_ticks`: a request that was not ended expires after this long, and so does an engine that was not used.
    `tombstone_ticks`: how long an ended request is remembered.
    `stub_ticks`: how long a call for an unknown request is remembered. The add that it overtook may be as old as a
    partition between nodes, but no older than a request can get.
    `orphan_ticks`: how long a request whose owner has lapsed still counts.
    `max_records`: requests and tombstones together.
    `max_engines`: engines of all clusters.
    `max_owners`: gateways that requests name.
    """

    request_ticks: int
    tombstone_ticks: int
    stub_ticks: int
    orphan_ticks: int
    max_records: int
    max_engines: int
    max_owners: int

    @classmethod
    def of(
        cls,
        *,
        request_seconds: float = 660.0,
        tombstone_seconds: float = 60.0,
        stub_seconds: float | None = None,
        max_records: int = 4_000_000,
        max_engines: int = 100_000,
        orphan_seconds: float = 30.0,
        max_owners: int = 10_000,
    ) -> LedgerLimits:
        """Return the limits for these times in seconds, each at least one tick. Stubs stay as long as tombstones where
        `stub_seconds` is None."""
        stub_seconds = tombstone_seconds if stub_seconds is None else stub_seconds
        return cls(
            max(1, round(request_seconds)),
            max(1, round(tombstone_seconds)),
            max(1, round(stub_seconds)),
            max(1, round(orphan_seconds)),
            max_records,
            max_engines,
            max_owners,
        )
