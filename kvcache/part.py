# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The index of prompt caches as a part of a node: its calls, its metrics and its recurring work.

Built on the main thread. The index may be used from any thread.
"""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client.registry import Collector

from edge.call import Route
from edge.part import AppPart
from kvcache.handlers import CacheHandlers
from kvcache.index import CacheIndex, Lengths
from kvcache.metrics import CacheCollector
from runtime.config import Config
from runtime.periodic import PeriodicTask


class KVCache(AppPart):
    """The index that this node keeps.

    `index`: the index; None where `[KVCache] Enable` is off.
    `handlers`: the cache calls. They are answered without an index too.
    """

    def __init__(self, config: Config) -> None:
        self._gc_interval_seconds = config.kvcache.gc_interval_seconds
        self.index = _build_index(config)
        self.handlers = CacheHandlers(self.index, topk=config.kvcache.top_k)

    def lengths(self, cluster: str, hashes: tuple[int, ...]) -> Lengths | None:
        """Return how much of a prompt the engines of a cluster hold; None where none of them holds any."""
        return None if self.index is None else self.index.lengths(cluster, hashes)

    def routes(self) -> Iterable[Route]:
        return self.handlers.routes()

    def collectors(self) -> Iterable[Collector]:
        return [] if self.index is None else [CacheCollector(self.index)]

    def periodic(self) -> Iterable[PeriodicTask]:
        if self.index is None:
            return []
        return [PeriodicTask("expire-caches", "kvcache.expire", self._gc_interval_seconds)]


def _build_index(config: Config) -> CacheIndex | None:
    if not config.kvcache.enable:
        return None
    return CacheIndex(
        ttl_seconds=config.kvcache.block_expire_seconds,
        max_blocks=config.kvcache.max_blocks,
        max_engine_blocks=config.kvcache.max_engine_blocks,
        max_engines=config.load.max_engines,
        client_share=config.quotas.share,
    )
