# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The pages for people who look after a node. Run on Django's threads; nothing is kept between two of them.

Each reads the ledger in slices and shows at most a page of what it read, so none of them holds up the gateways. All of
them are whole without JavaScript; what is live on them comes over the websockets (docs/websocket.md).
"""

from __future__ import annotations

from time import sleep, time_ns
from typing import Any
from urllib.parse import quote, urlencode

import msgspec
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from msgspec.structs import replace
from prometheus_client import REGISTRY

from console.addresses import cluster_address
from console.attention import attention, pressing
from console.attention_facts import facts
from console.calls import ask
from console.charts import RANGES, ChartRange, cluster_charts, range_of
from console.download import asked_format, table_file
from console.events import recent_events
from console.live_page import live_context
from console.load import line, span, summarize
from console.metric_page import groups
from console.nodes import MAP_WIDTH, PeersView, map_height, places, seen
from console.permission import DROP_ENGINES, END_REQUESTS, permission_of
from console.request_view import ShownRequest, alarm, headline, reasons, steps
from console.short_name import common_start
from console.signal_column import columns, for_scripts
from console.table_rows import (
    CLUSTER_MEMBERS,
    ENGINE_MEMBERS,
    PEER_MEMBERS,
    cluster_rows,
    engine_rows,
    struct_rows,
)
from console.table_state import TableState
from console.trend import COLUMN, STEPS, trend_of
from edge.cooperative import finish
from edge.errors import InvalidInput, NotFound
from edge.pages import data_response, is_browser, page
from loadstats.history import STEP_SECONDS
from loadstats.part import LoadStats
from loadstats.stale import stale_seconds
from runtime.config import Config
from runtime.health import Health
from runtime.identity import Identity
from runtime.profiling import ProfilingServer
from runtime.running import optional_part, part

PER_PAGE = 200
MOST_SORTED = 10_000  # names: sorting 10,000 stops the node for 1.6 ms, 100,000 for 27 ms
MOST_WANTED = 100  # characters of a search for metrics
MOST_STALE = 1000  # clusters with a stale count in one answer, as many as the summary's socket lists

NAME = "Metadata Center"

LINKS = (
    ("console", "/console/", "clusters and engines as they are now"),
    ("gateways", "/console/gateways/", "what each gateway has in flight"),
    ("nodes", "/console/nodes/", "the other nodes and how far they are"),
    ("events", "/console/events/", "what happened on the nodes that matters"),
    ("API", "/v1/load/stats", "every call, with a form to try it"),
    ("API documentation", "/docs/", "every call, its members and its answers"),
    ("replication", "/v1/replica/event", "what a peer of the original's kind sends"),
    ("peers", "/v1/replica/peers", "the other nodes, for programs"),
    ("log level", "/log/level", "change the log level"),
    ("readiness", "/readyz", "every part of this node and since when"),
    ("metrics", "/console/metrics/", "what this node measures, to read and to search"),
    ("raw metrics", "/metrics", "for Prometheus"),
    ("admin", "/admin/", "operate on load, peers, tasks and people's accounts"),
)


@page
def index(request: HttpRequest) -> HttpResponse:
    """`GET /`: what this is and where to go from here."""
    identity, health, profiling = part(Identity), part(Health), optional_part(ProfilingServer)
    links = LINKS if profiling is None else (*LINKS, ("profiling", profiling.url, "for go tool pprof"))
    if is_browser(request):
        report = health.report()
        context = {"version": identity.version, "node": identity.name, "report": report, "links": links}
        return render(request, "console/index.html", context)
    data = {
        "name": NAME,
        "version": identity.version,
        "node": identity.name,
        "status": health.report()["status"],
        "links": {name: target for name, target, _ in links},
    }
    return data_response(request, msgspec.json.encode(data))


@page
def overview(request: HttpRequest) -> HttpResponseBase:
    """`GET /console/`: the clusters."""
    ledger = part(LoadStats).ledger
    names = ledger.clusters()
    seen = facts()
    if len(names) <= MOST_SORTED:
        load = {cluster.name: cluster.requests for cluster in seen.clusters}
        names.sort(key=lambda name: (-load.get(name, 0), name))
    state, any_ = TableState.of(request.GET), bool(names)
    names = state.names(names)
    kind = asked_format(request)
    if kind is not None or (state.sort and len(names) <= MOST_SORTED):
        totals = finish(ledger.loads.totals(names))
        names = state.clusters(totals) if state.sort else names
        if kind is not None:
            return table_file(kind, "clusters", CLUSTER_MEMBERS, cluster_rows(totals, names))
    shown = Paginator(names, PER_PAGE).get_page(request.GET.get("page"))
    wall_ns, stale = time_ns(), stale_seconds(part(Config).load.request_expire_seconds)
    history = part(LoadStats).history
    summaries = [
        (
            summarize(name, ledger.rows(name), wall_ns, stale),
            cluster_address(name),
            trend_of(history.recent(name, COLUMN, STEPS)),
        )
        for name in shown
    ]
    context = {
        "page": shown,
        "any": any_,
        "summaries": summaries,
        "trends": {"step": STEP_SECONDS * 1000, "age": round(history.recent_age_seconds() * 1000)},
        "counts": ledger.counts(),
        "attention": (items := attention(seen)),
        "pressing": pressing(items),
        "state": state,
        "shown": recent_events(),
        **_signals(),
        **_live(request, seen.peers),
    }
    return render(request, "console/overview.html", context)


@page
def watch(request: HttpRequest) -> HttpResponse:
    """`GET /console/attention/`: what the overview's script shows of the facts, as JSON."""
    seen = facts()
    stale = sorted((each for each in seen.clusters if each.stale_engines), key=lambda each: -each.stale_engines)
    shown = {each.name: each.stale_engines for each in stale[:MOST_STALE]}
    return data_response(request, msgspec.json.encode({"items": attention(seen), "stale": shown}))


@page
def cluster(request: HttpRequest, name: str) -> HttpResponseBase:
    """`GET /console/clusters/<cluster>/`: its engines, the busiest first. 404 while it has none, and still a page."""
    rows = part(LoadStats).ledger.rows(name)
    wall_ns, stale = time_ns(), stale_seconds(part(Config).load.request_expire_seconds)
    summary = summarize(name, rows, wall_ns, stale)
    state = TableState.of(request.GET)
    chosen = state.engines(rows, lambda row: line(row, summary, wall_ns, stale).mark == "stale")
    if (kind := asked_format(request)) is not None:
        return table_file(kind, f"engines-{name}", ENGINE_MEMBERS, engine_rows(name, chosen))
    shown = Paginator(chosen, PER_PAGE).get_page(request.GET.get("page"))
    common = common_start([row.engine for row in rows])
    context = {
        "page": shown,
        "any": bool(rows),
        "summary": summary,
        "state": state,
        "lines": [line(row, summary, wall_ns, stale, common) for row in shown],
        "socket": f"/ws/load/{quote(name, safe='')}/",
        "requests_address": f"{reverse('console:engine')}?{urlencode({'cluster': name})}&engine=",
        "drop_address": f"{reverse('admin:loadstats_engine_forget_engine')}?{urlencode({'cluster': name})}",
        "engines_address": f"{reverse('admin:loadstats_engine_changelist')}?{urlencode({'cluster': name})}",
        "gateways_address": f"{reverse('console:gateways')}?{urlencode({'cluster': name})}",
        "act": permission_of(request, DROP_ENGINES),
        "here": quote(request.get_full_path(), safe=""),
        "stale_seconds": stale,
        "expire_seconds": part(Config).load.request_expire_seconds,
        "orphan_seconds": part(Config).load.orphan_grace_seconds,
        **_charts(request, name),
        **_signals(),
        **_live(request),
    }
    return render(request, "console/cluster.html", context, status=200 if rows else 404)


@page
def nodes(request: HttpRequest) -> HttpResponseBase:
    """`GET /console/nodes/`: the peers as this node sees them, and this node's parts."""
    view = _peers()
    if (kind := asked_format(request)) is not None:
        return table_file(kind, "peers", PEER_MEMBERS, struct_rows(view.peers))
    context = {
        "view": view,
        "node": part(Identity).name,
        "console_url": part(Config).node.console_url.rstrip("/"),
        "latest": view.vector.get(view.origin, 0),
        "watermarks": seen(view),
        "places": places(view),
        "map": {"width": MAP_WIDTH, "height": map_height(view), "middle": map_height(view) / 2},
        "report": part(Health).report(),
        **_live(request, view),
    }
    return render(request, "console/nodes.html", context)


@page
def metrics(request: HttpRequest) -> HttpResponse:
    """`GET /console/metrics/`: the node's metrics, for people; `q` searches them, `family` shows one of them."""
    wanted = request.GET.get("q", "").strip()[:MOST_WANTED]
    chosen = request.GET.get("family", "")
    context = {
        "node": part(Identity).name,
        "wanted": wanted,
        "chosen": chosen,
        "groups": groups(REGISTRY.collect(), wanted, chosen, rest=lambda: sleep(0)),
    }
    return render(request, "console/metrics.html", context)


@page
def look_up(request: HttpRequest) -> HttpResponse:
    """`GET /console/request/?id=ID`: one request's life. An id that is unknown is an answer too: 200."""
    request_id = request.GET.get("id", "").strip()
    view = _peers()
    context: dict[str, Any] = {"id": request_id, "node": part(Identity).name, **_live(request, view)}
    context["idle"] = not request_id
    context["act"] = permission_of(request, END_REQUESTS)
    context["here"] = request.get_full_path()
    if request_id:
        try:
            seen_here = ask("/v1/load/request", ShownRequest, request_id=request_id)
        except NotFound:
            tombstone_seconds = part(Config).load.tombstone_seconds
            context |= {"unknown": True, "tombstone_seconds": tombstone_seconds, "peers": view.peers}
            context["state"] = "unknown here"
        except InvalidInput as problem:
            context["problem"] = problem
        else:
            shown = replace(seen_here, grace_seconds=part(Config).load.orphan_grace_seconds)
            context |= {
                "shown": shown,
                "alarm": alarm(shown),
                "headline": headline(shown),
                "state": shown.state,
                "reasons": reasons(shown),
                "steps": steps(shown),
            }
            context |= {"age": span(shown.age_seconds), "left": span(shown.remaining_seconds)}
            context["silent"] = span(shown.silent_seconds)
            context["cluster_address"] = cluster_address(shown.cluster)
            asked = urlencode({"request_id": shown.request_id, "next": context["here"]})
            context["end_address"] = f"{reverse('admin:loadstats_request_end_request')}?{asked}"
    return render(request, "console/request.html", context)


@page
def to_overview(request: HttpRequest) -> HttpResponse:
    """`GET /console/clusters/`: the clusters are on the overview."""
    return HttpResponseRedirect(reverse("console:overview"))


@page
def to_cluster(request: HttpRequest, name: str) -> HttpResponse:
    """`GET /console/<cluster>/`: where a cluster's page was before."""
    return HttpResponseRedirect(cluster_address(name))


def _peers() -> PeersView:
    return ask("/v1/replica/peers", PeersView)


def _signals() -> dict[str, Any]:
    """Return the signals' columns, for the template and as JSON for its script."""
    shown = columns()
    return {"columns": shown, "signals": for_scripts(shown)}


def _charts(request: HttpRequest, name: str) -> dict[str, Any]:
    """Return a cluster's charts, and the ranges that they may have."""
    chosen = range_of(request.GET.get("range"))
    history = part(LoadStats).history
    piece = history.minutes_of(name) if chosen is RANGES[-1] else history.steps_of(name)
    ranges = [{"name": each.name, "words": each.words, "address": _at(request, each)} for each in RANGES]
    return {"charts": cluster_charts(piece, chosen), "range": chosen, "ranges": ranges}


def _at(request: HttpRequest, chosen: ChartRange) -> str:
    """Return the address of this page with another range."""
    query = request.GET.copy()
    query["range"] = chosen.name
    return f"?{query.urlencode()}"


def _live(request: HttpRequest, view: PeersView | None = None) -> dict[str, Any]:
    """Return what every live page needs; see `live_context`."""
    return live_context(request, view or _peers())
