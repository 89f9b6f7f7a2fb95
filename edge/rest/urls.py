# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The calls about the node itself, and all calls as a document."""

from django.urls import path

from edge.rest.openapi import pages
from metadata_center.views import Livez, LogLevel, Readyz, Version

urlpatterns = [
    Livez.url(),
    Readyz.url(),
    Version.url(),
    LogLevel.url(),
    path("schema/", pages.schema, name="schema"),
    path("docs/", pages.docs, name="docs"),
]
