# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What the ledger counts."""

from __future__ import annotations

from dataclasses import dataclass, fields

from loadstats.ledger.cause import CAUSES, Cause, cause_of, outcome_of

HELD = ("in_flight", "tombstones", "stubs", "engines", "owners", "orphans")


@dataclass(slots=True)
class LedgerCounts:
    """What the ledger holds now, and what happened since it was made.

    Held now:
    `in_flight`: requests added and not done.
    `tombstones`: ended requests, kept for late calls.
    `stubs`: requests whose first token or end arrived before the start.
    `engines`: engines listed.
    `owners`: gateways that were named.
    `orphans`: requests in flight whose owner has lapsed or started anew.

    Happened so far:
    `added`, `first_tokens`, `done`: moves of requests by clients.
    `retried`: later attempts of a request that was known here from an earlier one.
    `ended_by_operator`, `ended_by_drop`: of `done`, those that no gateway asked for.
    `failed`: of `done`, those at which the engine failed, as their gateway said.
    `expired`: requests ended by age.
    `released`: requests ended because their gateway was silent for longer than the grace.
    `ended_elsewhere`: requests that a peer no longer had.
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
    ended_by_operator: int = 0
    ended_by_drop: int = 0
    ended_elsewhere: int = 0
    retried: int = 0
    failed: int = 0

    def count_end(self, cause: int) -> None:
        """Count the end of a request. `cause` is a byte as in `cause.py`."""
        match cause_of(cause):
            case Cause.AGE:
                self.expired += 1
            case Cause.SILENCE:
                self.released += 1
            case Cause.ELSEWHERE:
                self.ended_elsewhere += 1
            case known:
                self.done += 1
                self.ended_by_operator += known == Cause.OPERATOR
                self.ended_by_drop += known == Cause.ENGINE_DROP
                self.failed += outcome_of(cause) == "error"

    def ended(self) -> dict[str, int]:
        """Return how many requests ended, by the name of the cause."""
        numbers = {
            Cause.GATEWAY: self.done - self.ended_by_operator - self.ended_by_drop,
            Cause.OPERATOR: self.ended_by_operator,
            Cause.AGE: self.expired,
            Cause.SILENCE: self.released,
            Cause.ENGINE_DROP: self.ended_by_drop,
            Cause.ELSEWHERE: self.ended_elsewhere,
        }
        return {CAUSES[cause]: number for cause, number in numbers.items()}

    def clear_held(self) -> None:
        """Nothing is held any more."""
        for name in HELD:
            setattr(self, name, 0)

    def clear_events(self) -> None:
        """Nothing has happened yet."""
        for each in fields(self):
            if each.name not in HELD:
                setattr(self, each.name, 0)
