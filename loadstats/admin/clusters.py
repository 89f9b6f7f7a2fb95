# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""`/admin/loadstats/cluster/`: the clusters, the busiest first. Runs on Django's threads."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from edge.live_admin import LiveAdmin
from loadstats.admin.sums import HEADINGS, cluster_sums, listing
from loadstats.models import Cluster
from loadstats.part import LoadStats
from runtime.running import part


@admin.register(Cluster)
class ClusterAdmin(LiveAdmin):
    template = "loadstats/admin/clusters.html"

    def context(self, request: HttpRequest) -> dict[str, Any]:
        name = request.GET.get("name", "")
        shown = listing(cluster_sums(part(LoadStats).ledger, name), request.GET.get("page"))
        return {"name": name, "page": shown, "headings": HEADINGS}
