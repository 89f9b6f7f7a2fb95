# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Where Django answers. The handlers' paths are here too, for browsers and for whatever the lane hands over."""

from django.contrib import admin
from django.urls import path

from metadata_center import pages

urlpatterns = [
    path("metrics", pages.metrics),
    path("admin/", admin.site.urls),
]
handler400 = "metadata_center.pages.bad_request"
handler404 = "metadata_center.pages.not_found"
handler500 = "metadata_center.pages.server_error"
