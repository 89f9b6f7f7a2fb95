# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The index of prompt caches: which engines of a cluster hold which blocks of which prompts.

Pure Python without Django, clocks, logging or metrics: time is passed in, and the same calls in the same order give
the same state everywhere.
"""

from kvcache.index.copies import CacheCopy, CacheDropped
from kvcache.index.counts import CacheCounts
from kvcache.index.index import CacheHolding, CacheIndex
from kvcache.index.lengths import Lengths
from kvcache.index.store import BUCKETS

__all__ = ["BUCKETS", "CacheCopy", "CacheCounts", "CacheDropped", "CacheHolding", "CacheIndex", "Lengths"]
