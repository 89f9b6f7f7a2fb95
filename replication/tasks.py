# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The links' recurring work, as a Celery task. The logic is in the links, which need no Celery."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from celery import shared_task
from django.apps import apps

if TYPE_CHECKING:
    from replication.apps import ReplicationConfig


@shared_task(name="replication.sweep", ignore_result=True)
def sweep() -> None:
    """Restart stalled links, trim the journal, mend one peer's differences."""
    if links := cast("ReplicationConfig", apps.get_app_config("replication")).links:
        links.sweep()
