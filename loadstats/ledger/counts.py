# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What the ledger counts."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class LedgerCounts:
    """What the ledger holds now, and what happened since it was made.

    Held now:
    `in_flight`: requests added and not done.
    `tombstones`: ended requests, kept for late calls.
    `stubs`: requests known only from calls that overtook their add.
    `engines`: engines listed.
    `owners`: gateways that were named.
    `orphans`: requests in flight whose owner has lapsed or started anew.

    Happened so far:
    `added`, `first_tokens`, `done`: moves of requests.
    `expired`: requests ended by age instead of by a client.
    `released`: of those, orphans that were not ended within the grace.
    `repeated`: calls that changed nothing.
    `forgotten`: early calls not remembered because the ledger was full.
    `repaired`: records that differed from a peer's and were mended.
    `superseded`: incarnations of gateways that gave way to another one.
    """

    in_flight: int = 0
    tombstones: int = 0
    stubs: int = 0
    engines: int = 0
    added: int = 0
    first_tokens: int = 0
    done: int = 0
    expired: int = 0
    repeated: int = 0
    forgotten: int = 0
    repaired: int = 0
    owners: int = 0
    orphans: int = 0
    released: int = 0
    superseded: int = 0

    def clear_held(self) -> None:
        """Nothing is held any more."""
        self.in_flight = self.tombstones = self.stubs = self.engines = self.owners = self.orphans = 0
