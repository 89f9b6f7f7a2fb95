# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The app's entry in Django's registry: templates, static files and template tags are found by it."""

from django.apps import AppConfig


class EdgeConfig(AppConfig):
    name = "edge"
