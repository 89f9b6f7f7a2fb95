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

from loadstats.admin.sums import by_load, sums
from metadata_center import __version__
from metadata_center.apps import running_node

BUSIEST = 8
LAST = 8


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """unfold's `DASHBOARD_CALLBACK`."""
    node = running_node()
    may = request.user.has_perm
    context["node"], context["version"] = node.name, __version__
    if may("metadata_center.view_node"):
        context["report"] = node.health.report()
    if may("loadstats.view_cluster"):
        clusters = list(sums(node.ledger))
        context["counts"] = node.ledger.counts()
        context["clusters"] = len(clusters)
        context["busiest"] = nlargest(BUSIEST, clusters, key=by_load)
    if may("admin.view_logentry"):
        context["entries"] = LogEntry.objects.select_related("user", "content_type")[:LAST]
    return context
