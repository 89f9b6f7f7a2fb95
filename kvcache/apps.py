# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The app's entry in Django's registry: where its Celery task, which nobody hands anything, finds the index."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.apps import AppConfig

if TYPE_CHECKING:
    from kvcache.index import CacheIndex


class KvcacheConfig(AppConfig):
    """`index` is set by the composition root; None while no node runs, and in a node that keeps no index."""

    name = "kvcache"
    verbose_name = "KV cache"
    index: CacheIndex | None = None
