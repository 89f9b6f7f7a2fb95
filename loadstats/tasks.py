# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The ledger's recurring work, as Celery tasks. The logic is in the parts, which can be called without Celery."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from celery import shared_task
from django.core.cache import caches

if TYPE_CHECKING:
    from loadstats.cache import MemoryLoadCache


@shared_task(name="loadstats.expire", ignore_result=True)
def expire() -> None:
    """Forget what has expired."""
    cast("MemoryLoadCache", caches["loadstats"]).expire()


@shared_task(name="loadstats.lapse", ignore_result=True)
def lapse() -> None:
    """Notice gateways that fell silent."""
    cast("MemoryLoadCache", caches["loadstats"]).lapse()
