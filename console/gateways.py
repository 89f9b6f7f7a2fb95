# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The gateways as their page shows them. Pure: the list's JSON comes in, words and links go out."""

from __future__ import annotations

from urllib.parse import urlencode

from msgspec import Struct

from console.load import age
from console.signal_column import percent

ORDERS = {
    "requests": "Requests",
    "oldest": "Oldest",
    "orphans": "Orphaned",
    "silent": "Last heartbeat",
    "expired": "Ended by age",
}
"""The orders of the list, by the heading of the column that each sorts."""
USUAL = "requests"


class ShownGateway(Struct, frozen=True):
    """One gateway of the list. The members are those of `GET /v1/load/owners`."""

    owner: str
    kind: str
    requests: int
    orphans: int
    ended_by_age: int
    lapsed: bool = False
    incarnation: str = ""
    oldest_seconds: int | None = None
    heartbeat_seconds: int | None = None


class ShownGateways(Struct, frozen=True):
    """The list, as `GET /v1/load/owners` answers it."""

    owners: list[ShownGateway]
    total: int
    requests: int
    age_seconds: float
    next: str | None = None


class GatewayLine(Struct, frozen=True):
    """A gateway in the table.

    `gateway`: its numbers.
    `name`: what to call it.
    `note`: what the name stands for, if it is not the gateway's own.
    `share`: its requests in percent of the most that one on the page has.
    `oldest`, `heartbeat`: how long ago, in words.
    `old`: its oldest request is older than what engines are called stale for.
    `mark`: the most pressing of orphaned, stale and idle; empty for none.
    `words`: what the mark says.
    `query`: what names it in links.
    """

    gateway: ShownGateway
    name: str
    note: str
    share: float
    oldest: str
    old: bool
    heartbeat: str
    mark: str
    words: str
    query: str


def lines(gateways: list[ShownGateway], stale_seconds: float) -> list[GatewayLine]:
    """Return the gateways' lines, in their order."""
    most = max((each.requests for each in gateways), default=0)
    return [_line(each, most, stale_seconds) for each in gateways]


def _line(each: ShownGateway, most: int, stale_seconds: float) -> GatewayLine:
    old = each.oldest_seconds is not None and each.oldest_seconds >= stale_seconds
    mark, words = _mark(each, old)
    return GatewayLine(
        gateway=each,
        name=each.owner or "other nodes",
        note=NOTES[each.kind],
        share=percent(each.requests, most),
        oldest="–" if each.oldest_seconds is None else age(max(1, each.oldest_seconds)),
        old=old,
        heartbeat="never" if each.heartbeat_seconds is None else _ago(each.heartbeat_seconds),
        mark=mark,
        words=words,
        query="" if each.kind == "node" else urlencode({each.kind: each.owner}),
    )


def _ago(seconds: float) -> str:
    return "now" if seconds < 1 else f"{age(seconds)} ago"


NOTES = {
    "owner": "",
    "client": "a client of this node; its requests name no gateway",
    "node": "took requests that name no gateway; its own page lists the clients",
}


def _mark(each: ShownGateway, old: bool) -> tuple[str, str]:
    if each.lapsed:
        return "orphaned", "silent"
    if each.orphans:
        return "orphaned", "restarted"
    if old:
        return "stale", "old requests"
    return ("", "") if each.requests else ("idle", "idle")
