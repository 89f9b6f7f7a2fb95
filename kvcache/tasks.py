# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The index's recurring work, as a Celery task. The logic is in the index, which needs no Celery."""

from time import monotonic, sleep

from celery import shared_task

from kvcache.part import KVCache
from runtime.running import optional_part


@shared_task(name="kvcache.expire", ignore_result=True)
def expire() -> None:
    """Free what was dropped and forget what is too old, slice by slice; callers are served in between."""
    caches = optional_part(KVCache)
    if caches is not None and caches.index is not None:
        while caches.index.expire(monotonic()):
            sleep(0)  # hands the interpreter to waiting threads
