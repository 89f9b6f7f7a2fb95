# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The cache calls' URLs."""

from kvcache.views import Cache, CacheQueries, CacheSaves

urlpatterns = [CacheSaves.url(), CacheQueries.url(), Cache.url()]
