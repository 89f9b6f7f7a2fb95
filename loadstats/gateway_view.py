# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Gateways as calls and pages show them, and in what order. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator
from typing import Annotated, Literal

from msgspec import Meta, Struct

from edge.body import MAX_NAME
from edge.errors import InvalidInput
from loadstats.ledger import Census, GatewayCensus, GatewayKind, Tally

Order = Literal["requests", "oldest", "orphans", "silent", "expired"]
ORDERS: tuple[Order, ...] = ("requests", "oldest", "orphans", "silent", "expired")
Count = Annotated[int, Meta(ge=0)]
AFTER = r"^(|-?[0-9]{1,20}\.(owner|client|node)\.[\s\S]*)$"  # a cursor as text, or none
MAX_AFTER = MAX_NAME + 40
LAST = -(2**60)  # the rank of what has no moment to be ranked by
PART = 500  # gateways looked at in one slice: 0.7 ms


class GatewayView(Struct, frozen=True, gc=False):
    """A gateway, as this node knows it.

    `owner`: the name of the gateway. Where it names none: that of the client that reported its requests, or of the node
    that took them.
    `kind`: which of the three `owner` is: owner, client or node.
    `requests`: in flight.
    `oldest_seconds`: since the oldest of them was added; null if it has none.
    `orphans`: those of them that are orphaned.
    `heartbeat_seconds`: since its last heartbeat; null if it never sent one.
    `lapsed`: it has sent heartbeats, and is silent now.
    `incarnation`: its present life; empty if it names none.
    `ended_by_age`: how many of its requests this node ended by age since the node began.
    """

    owner: str
    kind: GatewayKind
    requests: Count
    oldest_seconds: Count | None
    orphans: Count
    heartbeat_seconds: Count | None
    lapsed: bool
    incarnation: str
    ended_by_age: Count


class GatewayCursor(Struct, frozen=True, order=True):
    """Where a gateway stands in an order. The first one is the smallest."""

    rank: int
    kind: str
    owner: str

    def __str__(self) -> str:
        return f"{self.rank}.{self.kind}.{self.owner}"

    @classmethod
    def read(cls, text: str) -> GatewayCursor:
        """Return what `str` made a text of. Raises InvalidInput for any other text."""
        if len(text) > MAX_AFTER or re.fullmatch(AFTER, text) is None:
            raise InvalidInput(f"after: expected `next` of the answer before, got {text[:80]!r}")
        rank, kind, owner = text.split(".", 2)
        return cls(int(rank), kind, owner)


class GatewayOrder:
    """An order of the gateways of one census.

    `order`: what comes first: most requests, the oldest request, most orphans, the longest silence, most ended by age.
    `wall_ms`: the wall-clock time now. Ranks do not change as time passes, so a walk meets each gateway once.
    `clusters`: which clusters to count; None for all.
    `owner`: the only name to list; empty for all.
    """

    def __init__(
        self,
        census: Census,
        order: Order,
        wall_ms: int,
        clusters: Callable[[str], bool] | None = None,
        owner: str = "",
    ) -> None:
        self._census = census
        self._order = order
        self._wall_ms = wall_ms
        self._clusters = clusters
        self._owner = owner

    def after(
        self, cursor: GatewayCursor | None, most: int
    ) -> Generator[None, None, tuple[list[GatewayView], GatewayCursor | None, int, int]]:
        """Return the next gateways after a cursor, the next cursor, and how many gateways and requests there are."""
        best: list[tuple[GatewayCursor, GatewayCensus, Tally]] = []
        gateways = requests = 0
        for start in range(0, len(self._census.gateways), PART):
            for each in self._census.gateways[start : start + PART]:
                tally = self._tally(each)
                if tally is None:
                    continue
                gateways += 1
                requests += tally.requests
                place = GatewayCursor(-self._rank(each, tally), each.kind, each.name)
                if cursor is None or place > cursor:
                    best.append((place, each, tally))
            best.sort(key=_place)
            del best[most + 1 :]
            yield
        shown = best[:most]
        following = shown[-1][0] if len(best) > most and shown else None
        return [self._view(each, tally) for _, each, tally in shown], following, gateways, requests

    def _tally(self, each: GatewayCensus) -> Tally | None:
        """Return the sum of a gateway's requests in the clusters that count; None if it is not to be listed."""
        if self._owner and each.name != self._owner:
            return None
        found = [tally for name, tally in each.clusters.items() if self._clusters is None or self._clusters(name)]
        if self._clusters is not None and not found:
            return None
        if len(found) == 1:
            return found[0]
        total = Tally()
        for tally in found:
            total.add(tally)
        return total

    def _rank(self, each: GatewayCensus, tally: Tally) -> int:
        """Return a number that is the larger, the earlier a gateway comes."""
        match self._order:
            case "requests":
                return tally.requests
            case "orphans":
                return tally.orphans
            case "expired":
                return each.ended_by_age
            case "silent":
                return -each.beat_ms if each.beat_ms else LAST
            case "oldest":
                return -tally.oldest_tick if tally.requests else LAST

    def _oldest(self, tally: Tally) -> int:
        return max(0, self._census.tick - tally.oldest_tick)

    def _view(self, each: GatewayCensus, tally: Tally) -> GatewayView:
        return GatewayView(
            each.name,
            each.kind,
            tally.requests,
            self._oldest(tally) if tally.requests else None,
            tally.orphans,
            max(0, self._wall_ms - each.beat_ms) // 1000 if each.beat_ms else None,
            each.lapsed,
            each.incarnation,
            each.ended_by_age,
        )


def _place(found: tuple[GatewayCursor, GatewayCensus, Tally]) -> GatewayCursor:
    return found[0]
