# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""`/admin/metadata_center/auditentry/`: who changed what. To read and to search; nobody changes it here.

Runs on Django's threads.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from unfold.admin import ModelAdmin

from metadata_center.models import AuditEntry

SHOWN = 120  # letters


@admin.register(AuditEntry)
class AuditEntryAdmin(ModelAdmin):  # type: ignore[misc] # untyped
    list_display = ("shown_time", "outcome", "act", "who", "client", "shown_what", "node")
    list_display_links = ("shown_time",)
    list_filter = ("outcome", "act", "node")
    fields = ("shown_time", "outcome", "act", "who", "client", "what", "node")
    readonly_fields = ("shown_time",)
    search_fields = ("act", "who", "client", "what", "node")
    ordering = ("-id",)
    list_per_page = 100
    show_full_result_count = False
    actions = None

    @admin.display(description="time, UTC", ordering="time")
    def shown_time(self, entry: AuditEntry) -> str:
        """Return the time to the second."""
        return f"{entry.time:%Y-%m-%d %H:%M:%S}"

    @admin.display(description="what")
    def shown_what(self, entry: AuditEntry) -> str:
        """Return names and values of what is not empty, at most 120 letters of it; the entry's own page has all."""
        try:
            what = json.loads(entry.what)
        except ValueError:
            what = entry.what
        text = _listed(what) if isinstance(what, Mapping) else str(what)
        return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"

    def has_add_permission(self, request: HttpRequest, *args: Any) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def _listed(what: Mapping[str, Any]) -> str:
    """Return `name: value` for each member that says something, the trace id last."""
    filled = {name: value for name, value in what.items() if value not in ("", None, [], {})}
    if (trace_id := filled.pop("trace_id", None)) is not None:
        filled["trace_id"] = trace_id
    return ", ".join(
        f"{name}: {value if isinstance(value, str) else json.dumps(value)}" for name, value in filled.items()
    )
