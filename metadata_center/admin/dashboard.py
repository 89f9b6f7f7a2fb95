# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The admin's front page: the node's health, what it holds, its busiest clusters, what people did last.

Each only for those who may see its page. Runs on Django's threads.
"""

from __future__ import annotations

from heapq import nlargest
from typing import Any

from django.contrib.admin.models import LogEntry
from django.http import HttpRequest

from loadstats.admin.sums import HEADINGS, by_load, cluster_sums
from loadstats.part import LoadStats
from runtime.health import Health
from runtime.identity import Identity
from runtime.running import part

BUSIEST = 8
LAST = 8


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """unfold's `DASHBOARD_CALLBACK`."""
    identity = part(Identity)
    may = request.user.has_perm
    context["node"], context["version"] = identity.name, identity.version
    if may("metadata_center.view_node"):
        context["report"] = part(Health).report()
    if may("loadstats.view_cluster"):
        ledger = part(LoadStats).ledger
        clusters = list(cluster_sums(ledger))
        context["counts"] = ledger.counts()
        context["clusters"] = len(clusters)
        context["headings"] = HEADINGS
        context["busiest"] = nlargest(BUSIEST, clusters, key=by_load)
    if may("admin.view_logentry"):
        context["entries"] = LogEntry.objects.select_related("user", "content_type")[:LAST]
    return context
