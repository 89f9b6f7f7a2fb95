# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""`/admin/axes/accessattempt/`: wrong passwords of the last minutes. Deleting a row gives its tries back.

Runs on Django's threads.
"""

from __future__ import annotations

from typing import Any

from axes.models import AccessAttempt
from django.contrib import admin
from django.http import HttpRequest
from unfold.admin import ModelAdmin


@admin.register(AccessAttempt)
class LogInTriesAdmin(ModelAdmin):  # type: ignore[misc] # untyped
    list_display = ("attempt_time", "username", "ip_address", "failures_since_start")
    list_display_links = None
    search_fields = ("username", "ip_address")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
