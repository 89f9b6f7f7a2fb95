# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The URLs for people, and what answers where none of them fits. API paths have no trailing slash."""

from django.contrib import admin
from django.urls import include, path

from metadata_center import pages

urlpatterns = [
    path("", include("console.urls")),
    path("", include("loadstats.urls")),
    path("", include("kvcache.urls")),
    path("", include("replication.urls")),
    path("", include("metadata_center.rest.urls")),
    path("metrics", pages.metrics),
    path("admin/", admin.site.urls),
]

handler400 = "metadata_center.pages.bad_request"
handler403 = "metadata_center.pages.forbidden"
handler404 = "metadata_center.pages.not_found"
handler500 = "metadata_center.pages.server_error"
