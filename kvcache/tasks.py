# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The index's recurring work, as a Celery task. The logic is in the index, which needs no Celery."""

from __future__ import annotations

from time import monotonic, sleep
from typing import TYPE_CHECKING, cast

from celery import shared_task
from django.apps import apps

if TYPE_CHECKING:
    from kvcache.apps import KvcacheConfig


@shared_task(name="kvcache.expire", ignore_result=True)
def expire() -> None:
    """Free what was dropped and forget what is too old, slice by slice; callers are served in between."""
    if index := cast("KvcacheConfig", apps.get_app_config("kvcache")).index:
        while index.expire(monotonic()):
            sleep(0)  # hands the interpreter to a thread that waits for it
