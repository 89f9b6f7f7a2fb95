# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""`/admin/loadstats/request/`: the requests this node knows of, and ending one. Runs on Django's threads.

A page looks at no more than `MOST_LOOKED` records, a slice at a time, and says how far it came: with 1,000,000 requests
it takes as long as with 100,000.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from time import monotonic, sleep, time_ns
from typing import Any
from urllib.parse import urlencode

from django.contrib import admin
from django.contrib.admin.models import DELETION
from django.http import HttpRequest

from edge.errors import InvalidInput, NotFound
from edge.live_admin import LiveAdmin, Operation, Question, Values
from loadstats.admin.end_requests import EndRequests
from loadstats.admin.typed_engine import as_listed
from loadstats.ledger import BUCKETS, EARLY, IN_FLIGHT, NAMES, Cause, Cursor, Filter, RequestView
from loadstats.models import Request
from loadstats.part import LoadStats
from runtime.running import part

PER_PAGE = 100
MOST_LOOKED = 65_536

PHASES = {
    "flight": ("in flight", IN_FLIGHT),
    "prefill": ("prefill", frozenset({"prefill"})),
    "decode": ("decode", frozenset({"decode"})),
    "done": ("recently completed", frozenset({"done"})),
    EARLY: ("out of order: the start has not arrived", frozenset({EARLY})),
    "all": ("all", frozenset({EARLY, *NAMES.values()})),
}
CHOOSING = ("flight", "prefill", "decode")  # phases whose requests can be ended
CAUSES = {
    "gateway": "by a gateway",
    "operator": "by an operator",
    "age": "timed out",
    "silence": "its gateway stopped sending heartbeats",
    "engine_drop": "its engine was dropped",
    "elsewhere": "at another node",
}
AGES = {0: "any age", 10: "over 10 s", 60: "over 1 min", 300: "over 5 min", 600: "over 10 min"}


class EndRequest(Operation):
    codename = "end_request"
    title = "End a request"
    button = "End it"
    members = ("request_id",)
    flag = DELETION

    def ask(self, values: Values) -> Question:
        seen = _find(values)
        return Question(
            f"End request {seen.request_id}?",
            "It ends as if its client had said so: its engine's load falls at once, here and on every other node."
            " The engine keeps generating.",
            (
                ("cluster", seen.cluster or "not known yet"),
                ("engine", seen.ip or "not known yet"),
                ("phase", seen.phase),
                ("age", f"{seen.age_seconds} s"),
                ("prompt length", f"{seen.prompt_length:,}"),
                ("owner", _owner(seen)),
                ("reported by", f"{seen.origin}, event {seen.seq}" if seen.origin else "this node"),
            ),
        )

    def perform(self, values: Values) -> str:
        seen = _find(values)
        part(LoadStats).ledger.done(seen.request_id, monotonic(), time_ns(), Cause.OPERATOR)
        place = f" on {seen.ip} in {seen.cluster}" if seen.cluster else ""
        return f"Request {seen.request_id}{place} was ended in phase {seen.phase}, {seen.age_seconds} s old."


@admin.register(Request)
class RequestAdmin(LiveAdmin):
    template = "loadstats/admin/requests.html"
    operations = (EndRequest(), EndRequests())

    def context(self, request: HttpRequest) -> dict[str, Any]:
        asked = {
            name: request.GET.get(name, "")
            for name in ("request_id", "cluster", "ip", "owner", "client", "phase", "age")
        }
        asked["request_id"] = asked["request_id"].strip()
        phase = asked["phase"] if asked["phase"] in PHASES else "flight"
        age = int(asked["age"]) if asked["age"].isdecimal() and int(asked["age"][:9]) in AGES else 0
        context = {"asked": {**asked, "phase": phase, "age": age}, "phases": PHASES, "ages": AGES}
        counts = part(LoadStats).ledger.counts()
        context["counts"] = counts
        inspection = part(LoadStats).ledger.requests
        if asked["request_id"]:
            seen = inspection.look(asked["request_id"], monotonic())
            return {**context, "searched": True, "lines": _lines([seen] if seen else [])}
        start = _cursor(request.GET.get("bucket", ""), request.GET.get("after", ""))
        shown = inspection.page(
            Filter(asked["cluster"], as_listed(asked["ip"]), PHASES[phase][1], age, asked["owner"], asked["client"]),
            start,
            monotonic(),
            most=PER_PAGE,
            most_looked=MOST_LOOKED,
            pause=partial(sleep, 0),
        )
        query = {name: value for name, value in asked.items() if value and name != "request_id"}
        further = shown.next and urlencode({**query, "bucket": shown.next.bucket, "after": shown.next.request_id})
        return {
            **context,
            "lines": _lines(shown.views),
            "looked": shown.looked,
            "from_start": start == Cursor(),
            "start": urlencode(query),
            "chosen": phase in CHOOSING and (age or any(asked[name] for name in ("cluster", "ip", "owner", "client"))),
            "choice": urlencode({**query, "phase": phase, "age": age or ""}),
            "further": further,
            "percent": 100 if shown.next is None else 100 * shown.next.bucket // BUCKETS,
        }


def _cursor(bucket: str, after: str) -> Cursor:
    """Where a page begins, by its query string; at the start where that says nothing sensible."""
    number = int(bucket) if bucket.isdecimal() and len(bucket) < 6 else 0
    return Cursor(number, after) if number < BUCKETS else Cursor()


def _lines(views: Iterable[RequestView]) -> list[tuple[RequestView, str]]:
    """Return each with why it is over, in words."""
    return [(seen, CAUSES.get(seen.cause, "")) for seen in views]


def _owner(seen: RequestView) -> str:
    if not seen.owner:
        return "none"
    if seen.superseded:
        return f"{seen.owner}, restarted since"
    if seen.orphaned:
        return f"{seen.owner}, no heartbeats"
    return seen.owner if seen.heartbeats else f"{seen.owner}, which has never sent a heartbeat"


def _find(values: Values) -> RequestView:
    inspection = part(LoadStats).ledger.requests
    seen = inspection.look(values["request_id"], monotonic())
    if seen is None:
        raise NotFound(f"Request {values['request_id']!r} is unknown here: never reported, or ended and removed.")
    if seen.phase == "done":
        raise InvalidInput(f"Request {seen.request_id!r} has already ended.")
    return seen
