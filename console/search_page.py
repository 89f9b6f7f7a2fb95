# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""`/console/search/?q=TEXT`: one search over requests, engines, clusters and gateways. Runs on Django's threads."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render

from console.search import MOST_SHOWN, search
from edge.body import MAX_NAME
from edge.pages import page, within_clusters
from kvcache.part import KVCache
from loadstats.part import LoadStats
from runtime.config import Config
from runtime.identity import Identity
from runtime.running import part


@within_clusters
@page
def find(request: HttpRequest) -> HttpResponse:
    """`GET /console/search/`: what a text names. One exact hit leads straight to its page."""
    typed = request.GET.get("q", "").strip()
    context: dict[str, object] = {"typed": typed, "most": MAX_NAME, "shown": MOST_SHOWN}
    if not typed:
        return render(request, "console/search.html", context)
    if len(typed) > MAX_NAME:
        return render(request, "console/search.html", {**context, "typed": typed[:MAX_NAME], "too_long": True})
    caller = getattr(request, "caller", None)
    findings = search(typed, part(LoadStats).ledger, part(KVCache).index, caller)
    if (only := findings.only) is not None:
        return HttpResponseRedirect(only.address)
    context |= {
        "findings": findings,
        "limited": caller.clusters if caller is not None else (),
        "tombstone_seconds": part(Config).load.tombstone_seconds,
        "node": part(Identity).name,
        "engines": findings.looked("engines"),
        "clusters": findings.looked("clusters"),
        "gateways": findings.looked("gateways"),
    }
    return render(request, "console/search.html", context)
