# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The admin's sidebar: what the signed-in person may see, and the ways out. Runs on Django's threads."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.urls import reverse

# Title, icon (Material Symbols), URL name, permission to view it.
LOAD = (
    ("Clusters", "hub", "loadstats_cluster_changelist", "loadstats.view_cluster"),
    ("Engines", "memory", "loadstats_engine_changelist", "loadstats.view_engine"),
    ("Requests", "swap_vert", "loadstats_request_changelist", "loadstats.view_request"),
)
NODE = (
    ("This node", "dns", "metadata_center_node_changelist", "metadata_center.view_node"),
    ("Peers", "lan", "replication_peer_changelist", "replication.view_peer"),
    ("Recurring tasks", "schedule", "metadata_center_task_changelist", "metadata_center.view_task"),
    ("Configuration", "tune", "metadata_center_setting_changelist", "metadata_center.view_setting"),
)
PEOPLE = (
    ("Audit trail", "policy", "metadata_center_auditentry_changelist", "metadata_center.view_auditentry"),
    ("Admin log", "history", "admin_logentry_changelist", "admin.view_logentry"),
    ("Log-in attempts", "lock", "axes_accessattempt_changelist", "axes.view_accessattempt"),
    ("Users", "person", "auth_user_changelist", "auth.view_user"),
    ("Groups", "group", "auth_group_changelist", "auth.view_group"),
    ("Keys", "key", "access_accesskey_changelist", "access.view_accesskey"),
)
ELSEWHERE = (
    ("Console", "monitoring", "/console/"),
    ("API docs", "api", "/docs/"),
    ("Metrics", "query_stats", "/console/metrics/"),
)


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """unfold's `SIDEBAR["navigation"]`."""

    def group(title: str, items: tuple[tuple[str, str, str, str], ...]) -> dict[str, Any]:
        return {
            "title": title,
            "separator": True,
            "items": [
                {"title": name, "icon": icon, "link": reverse(f"admin:{url}")}
                for name, icon, url, permission in items
                if request.user.has_perm(permission)
            ],
        }

    overview = {"title": "Overview", "icon": "dashboard", "link": reverse("admin:index")}
    elsewhere = [{"title": name, "icon": icon, "link": link} for name, icon, link in ELSEWHERE]
    groups = [
        {"items": [overview]},
        group("Load", LOAD),
        group("Node", NODE),
        group("People", PEOPLE),
        {"title": "Elsewhere", "separator": True, "items": elsewhere},
    ]
    return [each for each in groups if each["items"]]
