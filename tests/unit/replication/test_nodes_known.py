# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The share of a client is divided by the nodes that discovery knows."""

from __future__ import annotations

from discovery.part import Discovery
from kvcache.part import KVCache
from loadstats.part import LoadStats
from replication.part import Replication
from runtime.cold_start import ColdStart
from runtime.config import Config
from runtime.config.schema import DiscoverySettings


def test_ledger_and_index_know_how_many_nodes_there_are() -> None:
    config = Config(discovery=DiscoverySettings(hosts=("203.0.113.1", "203.0.113.2")))
    caches = KVCache(config)
    load = LoadStats(
        config,
        "n",
        cached=caches.lengths,
        keep=caches.handlers.keep,
        cached_at=caches.handlers.names_at,
        forget=caches.handlers.forget,
    )
    discovery = Discovery(config, 8080)
    Replication(config, "n", load, caches, discovery, ColdStart(660))
    assert discovery.directory is not None
    assert caches.index is not None
    ledger, before = load.ledger, load.ledger.nodes
    try:
        assert discovery.directory.refresh()
        assert (ledger.nodes, caches.index.nodes) == (3, 3)
    finally:
        ledger.nodes, ledger.journal = before, None  # Django shares the ledger among tests
        ledger.on_dropped, ledger.loads.cached_at = None, lambda cluster, ip: ()
