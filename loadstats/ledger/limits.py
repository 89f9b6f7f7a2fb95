# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""How long and how much the ledger holds. Immutable."""

from __future__ import annotations

from typing import TypedDict, Unpack

from msgspec import Struct

BUCKETS = 1024
SLICE = 256  # records or rows handled under one hold of the lock: 0.3 ms at about 1 µs each


SETTINGS = {"requests": "[Load] MaxRequests", "engines": "[Load] MaxEngines", "owners": "[Load] MaxOwners"}


class LedgerFull(Exception):
    """A cap was reached, or a client's share of one.

    `what`: requests, engines or owners.
    `cap`: the most that may be held.
    `share`: the most that one client may hold once more than half of the cap is used; 0 if the cap itself is reached.
    """

    def __init__(self, what: str, cap: int, share: int = 0) -> None:
        reached = f"a client reached its share of {share}, for more than half of its cap of {cap} is used"
        super().__init__(f"{what}: {reached}" if share else f"{what} reached its cap of {cap}")
        self.what = what
        self.cap = cap
        self.share = share

    @property
    def reason(self) -> str:
        """What to answer a client."""
        setting = SETTINGS.get(self.what)
        if not self.share:
            return f"{self.what}: this node holds its most, {self.cap}" + (f" ({setting})" if setting else "")
        return (
            f"{self.what}: more than half of {setting}, {self.cap}, is used, and this client holds its share of it, "
            f"{self.share} ([Quotas] Share, divided by the number of nodes)"
        )


class LedgerOptions(TypedDict, total=False):
    """What a ledger takes as arguments: the limits of `LedgerLimits`, with times in seconds.

    `request_seconds`: default 660.
    `tombstone_seconds`: default 60.
    `stub_seconds`: default as long as tombstones.
    `orphan_seconds`: default 30.
    `max_records`: default 4,000,000.
    `max_engines`: default 100,000.
    `max_owners`: default 10,000.
    `client_share`: default 0.25.
    """

    request_seconds: float
    tombstone_seconds: float
    stub_seconds: float
    orphan_seconds: float
    max_records: int
    max_engines: int
    max_owners: int
    client_share: float


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
    `client_share`: the part of a cap that one client may hold once more than half of it is used. See `Clients`.

    What has a long name counts as several against a cap. See `sizes.py`.
    """

    request_ticks: int
    tombstone_ticks: int
    stub_ticks: int
    orphan_ticks: int
    max_records: int
    max_engines: int
    max_owners: int
    client_share: float

    @classmethod
    def of(cls, **options: Unpack[LedgerOptions]) -> LedgerLimits:
        """Return the limits for these options. Each time is at least one tick."""
        tombstone_seconds = options.get("tombstone_seconds", 60.0)
        return cls(
            max(1, round(options.get("request_seconds", 660.0))),
            max(1, round(tombstone_seconds)),
            max(1, round(options.get("stub_seconds", tombstone_seconds))),
            max(1, round(options.get("orphan_seconds", 30.0))),
            options.get("max_records", 4_000_000),
            options.get("max_engines", 100_000),
            options.get("max_owners", 10_000),
            options.get("client_share", 0.25),
        )
