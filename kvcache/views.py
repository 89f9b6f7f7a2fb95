# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The cache calls' pages."""

from typing import ClassVar

from edge.rest.viewset import HandlerViewSet
from kvcache.handlers import CACHE, QUERY, SAVE
from kvcache.wire import CacheDrop, CacheLocations, CacheQuery, CacheSave

EXAMPLES = {"cluster": "demo", "ip": "10.0.0.1", "prompt_hash": [11, 12, 13], "topk": 10, "length": 3}


class CacheSaves(HandlerViewSet):
    """Prompts that engines have in their caches."""

    path = SAVE
    permission = "loadstats.end_request"
    inputs: ClassVar = {"POST": CacheSave}
    outputs: ClassVar = {"POST": None}
    examples: ClassVar = EXAMPLES


class CacheQueries(HandlerViewSet):
    """The engines that have read the beginning of a prompt before."""

    path = QUERY
    inputs: ClassVar = {"POST": CacheQuery}
    outputs: ClassVar = {"POST": CacheLocations}
    examples: ClassVar = EXAMPLES


class Cache(HandlerViewSet):
    """The caches of a cluster's engines."""

    path = CACHE
    permission = "loadstats.forget_engine"
    inputs: ClassVar = {"DELETE": CacheDrop}
    outputs: ClassVar = {"DELETE": None}
    examples: ClassVar = EXAMPLES
