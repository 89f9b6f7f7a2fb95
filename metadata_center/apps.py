# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The project's entries in Django's registry."""

from __future__ import annotations

from axes import apps as axes_apps  # not the class: Django would take it for this package's entry
from django.apps import AppConfig
from django.contrib.admin import apps as admin_apps  # not the class: Django would take it for this package's entry


class MetadataCenterConfig(AppConfig):
    name = "metadata_center"
    verbose_name = "Metadata Center"

    def ready(self) -> None:
        """Let the audit trail hear of changes, and have each log-in say when it began."""
        from django.contrib.auth.signals import user_logged_in  # noqa: PLC0415 models are ready now

        from metadata_center.accounts import sessions  # noqa: PLC0415
        from metadata_center.audit import changes  # noqa: PLC0415

        changes.connect()
        user_logged_in.connect(sessions.begin, dispatch_uid="metadata_center.accounts.sessions")


class SiteConfig(admin_apps.AdminConfig):
    """Django's admin with our site."""

    default_site = "metadata_center.admin_site.Site"
    default = False  # it is the entry of `django.contrib.admin`, not of this package


class LogInsConfig(axes_apps.AppConfig):  # type: ignore[misc] # untyped
    """django-axes, in an operator's words."""

    verbose_name = "Log-ins"
    default = False  # it is not the entry of this package

    def ready(self) -> None:
        """Name what it counts. The tables and their migrations stay as they are."""
        super().ready()
        options = self.get_model("AccessAttempt")._meta
        options.verbose_name, options.verbose_name_plural = "log-in attempt", "log-in attempts"


class DaphneConfig(AppConfig):
    """Daphne's `runserver`, which serves the ASGI application.

    Daphne's own entry imports its server and Twisted in every command: a fifth of what a node's start took.
    """

    name = "daphne"
    default = False  # it is not the entry of this package
