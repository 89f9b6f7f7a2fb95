# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The pages for people who look after a node. Run on Django's threads; nothing is kept between two of them.

Each reads the ledger in slices and shows at most a page of what it read, so none of them holds up the gateways.
"""

from __future__ import annotations

from time import time_ns
from urllib.parse import quote

import msgspec
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from console.load import busiest_first, line, summarize
from metadata_center import __version__
from metadata_center.apps import running_node
from metadata_center.pages import data_response, is_browser, page

PER_PAGE = 200
MOST_SORTED = 10_000  # names: sorting 10,000 stops the node for 1.6 ms, 100,000 for 27 ms
REFRESH_SECONDS = 2

NAME = "Metadata Center"

LINKS = (
    ("console", "/console/", "clusters and engines as they are now"),
    ("API", "/v1/load/stats", "every call, with a form to try it"),
    ("replication", "/v1/replica/event", "what a peer of the original's kind sends"),
    ("peers", "/v1/replica/peers", "the other nodes and how far they are"),
    ("log level", "/log/level", "how much the log tells"),
    ("readiness", "/readyz", "every part of this node and since when"),
    ("metrics", "/metrics", "for Prometheus"),
    ("admin", "/admin/", "people's accounts"),
)


@page
def index(request: HttpRequest) -> HttpResponse:
    """`GET /`: what this is and where to go from here."""
    node = running_node()
    links = LINKS if node.profiling is None else (*LINKS, ("profiling", node.profiling.url, "for go tool pprof"))
    if is_browser(request):
        report = node.health.report()
        context = {"version": __version__, "node": node.name, "report": report, "links": links}
        return render(request, "console/index.html", context)
    data = {
        "name": NAME,
        "version": __version__,
        "node": node.name,
        "status": node.health.report()["status"],
        "links": {name: target for name, target, _ in links},
    }
    return data_response(request, msgspec.json.encode(data))


@page
def overview(request: HttpRequest) -> HttpResponse:
    """`GET /console/`: the clusters."""
    ledger = running_node().ledger
    names = ledger.clusters()
    if len(names) <= MOST_SORTED:
        names.sort()
    shown = Paginator(names, PER_PAGE).get_page(request.GET.get("page"))
    summaries = [(summarize(name, ledger.rows(name)), address(name)) for name in shown]
    context = {"page": shown, "summaries": summaries, "counts": ledger.counts(), **_refresh(request)}
    return render(request, "console/overview.html", context)


@page
def cluster(request: HttpRequest, name: str) -> HttpResponse:
    """`GET /console/<cluster>/`: its engines, the busiest first. 404 while it has none, and still a page to watch."""
    rows = running_node().ledger.rows(name)
    summary = summarize(name, rows)
    shown = Paginator(busiest_first(rows), PER_PAGE).get_page(request.GET.get("page"))
    wall_ns = time_ns()
    lines = [line(row, summary, wall_ns) for row in shown]
    context = {"page": shown, "summary": summary, "lines": lines, **_refresh(request)}
    return render(request, "console/cluster.html", context, status=200 if rows else 404)


def address(name: str) -> str:
    """A cluster's page. Every character of the name is quoted that could mean something in a path."""
    return f"{reverse('console:overview')}{quote(name, safe='')}/"


def _refresh(request: HttpRequest) -> dict[str, int]:
    """How often the page asks to be loaded again; 0: never."""
    return {"refresh_seconds": 0 if request.GET.get("refresh") == "off" else REFRESH_SECONDS}
