# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""`/console/gateways/`: what each gateway has in flight. Runs on Django's threads; keeps nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse

from console.addresses import cluster_address
from console.calls import ask
from console.download import asked_format, table_file
from console.gateways import ORDERS, USUAL, ShownGateway, ShownGateways, lines
from console.live_page import live_context
from console.load import span
from console.permission import END_REQUESTS, permission_of
from console.table_rows import struct_rows
from edge.errors import InvalidInput
from edge.pages import page
from loadstats.owners import MOST, OWNERS
from loadstats.part import LoadStats
from loadstats.stale import stale_seconds
from runtime.config import Config
from runtime.running import part

QUERY = ("order", "cluster", "owner", "after")


@page
def gateways(request: HttpRequest) -> HttpResponseBase:
    """`GET /console/gateways/`: the gateways and what each has in flight, in the order that the query says."""
    sent = {name: value for name in QUERY if (value := request.GET.get(name, ""))}
    context: dict[str, Any] = {"order": sent.get("order", USUAL), "orders": ORDERS, **live_context(request)}
    try:
        found = ask(OWNERS, ShownGateways, **sent)
    except InvalidInput as problem:
        return render(request, "console/gateways.html", {**context, "problem": problem}, status=problem.status)
    if (kind := asked_format(request)) is not None:
        return table_file(kind, "gateways", ShownGateway.__struct_fields__, struct_rows(_all(sent)))
    context |= {
        "found": found,
        "lines": lines(found.owners, stale_seconds(part(Config).load.request_expire_seconds)),
        "age": span(found.age_seconds),
        "counts": part(LoadStats).ledger.counts(),
        "cluster": sent.get("cluster", ""),
        "owner": sent.get("owner", ""),
        "after": sent.get("after", ""),
        "cluster_address": cluster_address(sent.get("cluster", "")),
        "requests_address": reverse("admin:loadstats_request_changelist"),
        "end_address": reverse("admin:loadstats_request_end_requests"),
        "act": permission_of(request, END_REQUESTS),
        "here": request.get_full_path(),
    }
    return render(request, "console/gateways.html", context)


def _all(sent: Mapping[str, str]) -> Iterator[ShownGateway]:
    """Yield the gateways of all pages, from the first."""
    asked = {name: value for name, value in sent.items() if name != "after"}
    after: str | None = ""
    while after is not None:
        found = ask(OWNERS, ShownGateways, **asked, limit=str(MOST), **({"after": after} if after else {}))
        yield from found.owners
        after = found.next
