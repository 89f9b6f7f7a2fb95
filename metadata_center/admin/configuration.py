# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""`/admin/metadata_center/setting/`: the effective configuration. Secrets are masked. Runs on Django's threads."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.http import HttpRequest

from edge.live_admin import LiveAdmin
from metadata_center.models import Setting
from runtime.config.report import entries


@admin.register(Setting)
class SettingAdmin(LiveAdmin):
    template = "metadata_center/admin/configuration.html"

    def context(self, request: HttpRequest) -> dict[str, Any]:
        sections = groupby(entries(settings.LOADED), key=lambda entry: entry.section)
        return {"sections": [(name, list(members)) for name, members in sections]}
