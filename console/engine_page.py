# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""`/console/engine/?cluster=C&engine=E`: one engine, without a log-in. Runs on Django's threads."""

from __future__ import annotations

from time import monotonic, time_ns
from urllib.parse import urlencode

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.urls import reverse

from console.addresses import cluster_address
from console.download import asked_format, table_file
from console.engine import MOST_REQUESTS, canonical, view_engine
from console.engine_past import picture_of
from console.live_page import live_context
from console.permission import DROP_ENGINES, permission_of
from console.table_rows import REQUEST_MEMBERS, struct_rows
from edge.body import MAX_NAME
from edge.errors import Forbidden
from edge.pages import page, refuse_act, within_clusters
from edge.reach import check_cluster
from kvcache.part import KVCache
from loadstats.part import LoadStats
from loadstats.stale import stale_seconds
from runtime.config import Config
from runtime.running import part


@within_clusters
@page
def show(request: HttpRequest) -> HttpResponseBase:
    """`GET /console/engine/`: an engine's row, requests and cache. 404 while it is unknown, and still a page."""
    cluster = request.GET.get("cluster", "")[:MAX_NAME]
    name = canonical(request.GET.get("engine", "").strip()[:MAX_NAME])
    caller = getattr(request, "caller", None)
    try:
        if caller is not None:
            check_cluster(caller, cluster)
    except Forbidden as problem:
        return refuse_act(request, problem)
    view = view_engine(
        cluster,
        name,
        part(LoadStats).ledger,
        part(KVCache).index,
        caller,
        now=monotonic(),
        wall_ns=time_ns(),
        stale_seconds=stale_seconds(part(Config).load.request_expire_seconds),
        cool_down_seconds=part(Config).pick.cool_down_seconds,
    )
    if (kind := asked_format(request)) is not None:
        found = (each.seen for each in view.requests)
        return table_file(kind, f"requests-{name}", REQUEST_MEMBERS, struct_rows(found))
    of_engine = urlencode({"cluster": cluster, "ip": name})
    and_back = urlencode({"next": request.get_full_path()})
    context = {
        "view": view,
        "most": MOST_REQUESTS,
        "past": picture_of(cluster, name) if view.cells else None,
        "cluster_address": cluster_address(cluster),
        "admin_requests": f"{reverse('admin:loadstats_request_changelist')}?{of_engine}",
        "admin_engine": f"{reverse('admin:loadstats_engine_changelist')}?{of_engine}",
        "act": permission_of(request, DROP_ENGINES),
        "drop_address": f"{reverse('admin:loadstats_engine_forget_engine')}?{of_engine}&{and_back}",
        **live_context(request),
    }
    return render(request, "console/engine.html", context, status=200 if view.known else 404)
