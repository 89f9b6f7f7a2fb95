# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""`/admin/admin/logentry/`: who did what here. It is only read. Runs on Django's threads."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.http import HttpRequest
from unfold.admin import ModelAdmin


@admin.register(LogEntry)
class LogAdmin(ModelAdmin):  # type: ignore[misc] # untyped
    list_display = ("action_time", "user", "content_type", "object_repr", "get_change_message")
    list_display_links = None
    list_filter = ("action_time", "user", "content_type")
    list_select_related = ("user", "content_type")
    search_fields = ("object_repr", "change_message")
    date_hierarchy = None
    actions = None

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
