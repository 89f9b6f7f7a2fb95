# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The app's entry in Django's registry: where its Celery task, which nobody hands anything, finds the links."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.apps import AppConfig

if TYPE_CHECKING:
    from replication.links import Links


class ReplicationConfig(AppConfig):
    """`links` is set by the composition root; None while no node runs, and in a node that is alone."""

    name = "replication"
    links: Links | None = None
