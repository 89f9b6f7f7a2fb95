# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""All calls as a document."""

from django.urls import path

from edge.rest.openapi import pages

urlpatterns = [
    path("schema/", pages.schema, name="schema"),
    path("docs/", pages.docs, name="docs"),
]
