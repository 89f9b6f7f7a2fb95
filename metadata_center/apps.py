# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The project's entries in Django's registry."""

from __future__ import annotations

from django.apps import AppConfig
from django.contrib.admin import apps as admin_apps  # not the class: Django would take it for this package's entry


class MetadataCenterConfig(AppConfig):
    name = "metadata_center"
    verbose_name = "Metadata Center"

    def ready(self) -> None:
        """Let the audit trail hear of changes."""
        from metadata_center.audit import changes  # noqa: PLC0415 models can be imported only now

        changes.connect()


class SiteConfig(admin_apps.AdminConfig):
    """Django's admin with our site."""

    default_site = "metadata_center.admin_site.Site"
    default = False  # it is the entry of `django.contrib.admin`, not of this package


class DaphneConfig(AppConfig):
    """Daphne's `runserver`, which serves the ASGI application.

    Daphne's own entry imports its server and Twisted in every command: a fifth of what a node's start took.
    """

    name = "daphne"
    default = False  # it is not the entry of this package
