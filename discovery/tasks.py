# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The directory's recurring work, as a Celery task. The logic is in the directory, which needs no Celery."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from celery import shared_task
from django.apps import apps

if TYPE_CHECKING:
    from discovery.apps import DiscoveryConfig


@shared_task(name="discovery.refresh", ignore_result=True)
def refresh() -> None:
    """Look the peers up."""
    if directory := cast("DiscoveryConfig", apps.get_app_config("discovery")).directory:
        directory.refresh()
