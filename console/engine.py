# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""One engine as a node knows it: its row, its requests, its cache. Django's threads."""

from __future__ import annotations

from collections.abc import Callable
from time import sleep

from msgspec import Struct

from console.addresses import engine_address, gateway_address, request_address
from console.load import age, line, span, summarize
from console.signal_column import SignalCell
from edge.addresses import EngineNames
from edge.caller import Caller
from edge.errors import InvalidInput
from edge.reach import within
from kvcache.index import CacheHolding, CacheIndex
from loadstats.ledger import Ledger, RequestView
from loadstats.pick.cool_down import rests

MOST_REQUESTS = 100
MOST_OTHERS = 50
MOST_LOOKED = 262_144  # records: 50 ms of a thread that lets others run in between


class RequestLine(Struct, frozen=True):
    """A request in its engine's table.

    `seen`: the request.
    `address`: its page.
    `gateway`: the page of its gateway; empty if there is none.
    `age`, `left`: how old it is, and when it expires.
    """

    seen: RequestView
    address: str
    gateway: str
    age: str
    left: str


class EngineView(Struct, frozen=True):
    """An engine in one of its clusters.

    `name`, `cluster`: which engine it is.
    `cells`: its numbers; empty if it is not listed.
    `age`, `mark`: how long ago its row changed; orphaned, stale, idle or empty.
    `rest`: for how much longer picks leave it out and why, in words; empty if they do not.
    `requests`: the oldest of its requests in flight, the oldest first.
    `in_flight`: how many it has.
    `whole`: whether all records were looked at that may be of this engine.
    `holding`: what its cache holds; None if nothing is known.
    `saved`: how long ago a block was saved, in words.
    `others`: other clusters that know an engine of this name, at most `MOST_OTHERS`, with its page there.
    `more_others`: how many more there are.
    """

    name: str
    cluster: str
    cells: list[SignalCell]
    age: str
    mark: str
    rest: str
    requests: list[RequestLine]
    in_flight: int
    whole: bool
    holding: CacheHolding | None
    saved: str
    others: list[tuple[str, str]]
    more_others: int

    @property
    def known(self) -> bool:
        """Whether this node knows the engine in this cluster."""
        return bool(self.cells) or self.holding is not None


def canonical(typed: str) -> str:
    """Return an engine's name in its one form; other text as it is."""
    try:
        return EngineNames().canonical(typed)
    except InvalidInput:
        return typed


def view_engine(
    cluster: str,
    name: str,
    ledger: Ledger,
    caches: CacheIndex | None,
    caller: Caller | None,
    *,
    now: float,
    wall_ns: int,
    stale_seconds: float,
    cool_down_seconds: float,
    pause: Callable[[], object] = lambda: sleep(0),
) -> EngineView:
    """Return what is known of an engine, at a monotonic and a wall-clock time."""
    engine = ledger.loads.engine(cluster, name)
    holding = caches.holding(cluster, name, now) if caches else None
    saved = "" if holding is None or holding.saved_seconds is None else age(holding.saved_seconds)
    found = _clusters_of(name, ledger, caches, caller, cluster)
    others = [(other, engine_address(other, name)) for other in found[:MOST_OTHERS]]
    more_others = len(found) - len(others)
    if engine is None:
        return EngineView(name, cluster, [], "", "", "", [], 0, True, holding, saved, others, more_others)
    row = engine.row()
    shown = line(row, summarize(cluster, [row], wall_ns, stale_seconds), wall_ns, stale_seconds)
    oldest = ledger.requests.oldest(engine, now, most=MOST_REQUESTS, most_looked=MOST_LOOKED, pause=pause)
    return EngineView(
        name,
        cluster,
        shown.cells,
        shown.age,
        shown.mark,
        _rest(ledger, cluster, name, cool_down_seconds, now),
        [_line(seen) for seen in oldest.views],
        row.queued_req_num,
        oldest.met >= row.queued_req_num or oldest.looked < MOST_LOOKED,
        holding,
        saved,
        others,
        more_others,
    )


def _rest(ledger: Ledger, cluster: str, name: str, cool_down_seconds: float, now: float) -> str:
    rest = rests(ledger.loads.failing(cluster), cool_down_seconds, now).get(name)
    if rest is None:
        return ""
    times = "once" if rest.failures == 1 else f"{rest.failures} times in a row"
    return f"It failed {times}: picks leave it out for another {span(rest.seconds)}."


def _line(seen: RequestView) -> RequestLine:
    return RequestLine(
        seen,
        request_address(seen.request_id),
        gateway_address(seen.owner) if seen.owner else "",
        span(seen.age_seconds),
        span(seen.remaining_seconds),
    )


def _clusters_of(name: str, ledger: Ledger, caches: CacheIndex | None, caller: Caller | None, but: str) -> list[str]:
    """Return the other clusters that know an engine of this name and that the caller may name."""
    names = within(caller, dict.fromkeys([*ledger.clusters(), *(caches.clusters() if caches else ())]))
    return sorted(
        each
        for each in names
        if each != but and (ledger.loads.engine(each, name) is not None or (caches and caches.has(each, name)))
    )
