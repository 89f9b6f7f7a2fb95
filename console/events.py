# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The page of events: what happened on the nodes that matters, with filters. Runs on Django's threads; keeps nothing.

The filters are a plain form: what is shown follows from the address alone. What the form leaves empty is no filter.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Final

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import render
from msgspec import Struct

from console.addresses import cluster_address, engine_address, gateway_address
from console.calls import ask
from console.download import asked_format, table_file
from console.nodes import PeersView, troubles
from console.table_rows import struct_rows
from edge.errors import InvalidInput, NotFound
from edge.pages import page
from runtime.notices.kind import Kind, Severity

PER_PAGE: Final = 50
PER_ANSWER: Final = 200
"""Events of one answer while a file is written."""
RECENT: Final = 5
REFRESH_SECONDS: Final = 10
FILTERS: Final = ("kind", "severity", "node", "cluster", "age", "text")
AGES: Final = (("900", "15 minutes"), ("3600", "hour"), ("86400", "day"), ("604800", "week"))
MOODS: Final = {Severity.INFO: "", Severity.WARNING: "degraded", Severity.ERROR: "bad"}


class ShownEvent(Struct, frozen=True):
    """One event, as `GET /v1/events` answers it. What it does not say has a default."""

    id: str
    kind: str
    severity: Severity
    node: str
    time_ns: int
    text: str
    first_time_ns: int = 0
    times: int = 1
    cluster: str = ""
    engine: str = ""
    gateway: str = ""

    @property
    def mood(self) -> str:
        """Return the class of its dot."""
        return MOODS[self.severity]

    @property
    def topic(self) -> str:
        """Return its kind in words."""
        return in_words(self.kind)

    @property
    def at(self) -> datetime:
        """Return when it happened last."""
        return datetime.fromtimestamp(self.time_ns / 1e9, UTC)

    @property
    def first_at(self) -> datetime:
        """Return when it happened first."""
        return datetime.fromtimestamp(self.first_time_ns / 1e9, UTC)

    @property
    def cluster_address(self) -> str:
        """Return the page of its cluster."""
        return cluster_address(self.cluster)

    @property
    def engine_address(self) -> str:
        """Return the page of its engine."""
        return engine_address(self.cluster, self.engine)

    @property
    def gateway_address(self) -> str:
        """Return the page that shows its gateway."""
        return gateway_address(self.gateway)


class EventsView(Struct, frozen=True):
    """A page of events, the newest first. `next`: what the page behind it begins after; empty on the last one."""

    events: tuple[ShownEvent, ...] = ()
    next: str = ""


def in_words(kind: str) -> str:
    """Return a kind as people read it."""
    return kind.replace("_", " ")


def recent_events() -> EventsView:
    """Return the last events, for the overview."""
    return ask("/v1/events", EventsView, limit=str(RECENT))


@page
def events(request: HttpRequest) -> HttpResponseBase:
    """`GET /console/events/`: the events that pass the filters in the address."""
    filters = {name: value for name in FILTERS if (value := request.GET.get(name, "").strip())}
    after = request.GET.get("after", "")
    view, problem, status = EventsView(), "", 200
    try:
        view = ask("/v1/events", EventsView, limit=str(PER_PAGE), **filters, **({"after": after} if after else {}))
    except NotFound:
        problem, status = "What these events come after is no longer kept", 404
    except InvalidInput as fault:
        problem, status = fault.reason, 400
    if not problem and (kind := asked_format(request)) is not None:
        return table_file(kind, "events", ShownEvent.__struct_fields__, struct_rows(_all(filters)))
    context = {
        "shown": view,
        "problem": problem,
        "filters": filters,
        "after": after,
        "kinds": sorted((kind.value, in_words(kind)) for kind in Kind),
        "severities": [(Severity.WARNING.value, "warnings and errors"), (Severity.ERROR.value, "errors")],
        "ages": AGES,
        "still": request.GET.get("refresh") == "off",
        "refresh_seconds": REFRESH_SECONDS,
        "troubles": troubles(ask("/v1/replica/peers", PeersView)),
    }
    return render(request, "console/events.html", context, status=status)


def _all(filters: Mapping[str, str]) -> Iterator[ShownEvent]:
    """Yield the events of all pages. Ends early if an event that a page begins after is no longer kept."""
    after: dict[str, str] = {}
    while True:
        try:
            found = ask("/v1/events", EventsView, limit=str(PER_ANSWER), **filters, **after)
        except NotFound:
            return
        yield from found.events
        if not found.next:
            return
        after = {"after": found.next}
