# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The URLs for people, and what answers where none of them fits. API paths have no trailing slash."""

from django.contrib import admin
from django.urls import include, path

from edge import pages
from metadata_center.views import Events, LargestClients, Livez, LogLevel, Readyz, Version

urlpatterns = [
    path("", include("console.urls")),
    path("", include("loadstats.urls")),
    path("", include("kvcache.urls")),
    path("", include("replication.urls")),
    path("", include([Livez.url(), Readyz.url(), Version.url(), LogLevel.url(), LargestClients.url(), Events.url()])),
    path("", include("edge.rest.urls")),
    path("metrics", pages.metrics),
    path("admin/", admin.site.urls),
]

handler400 = "edge.pages.bad_request"
handler403 = "edge.pages.forbidden"
handler404 = "edge.pages.not_found"
handler500 = "edge.pages.server_error"
