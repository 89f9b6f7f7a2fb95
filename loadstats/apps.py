# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The app's entry in Django's registry, which holds the process's ledgers for the cache backend."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock

from django.apps import AppConfig

from loadstats.ledger import ReplicatedLedger


class LoadstatsConfig(AppConfig):
    """Ledgers by the cache's LOCATION. Django makes a cache object per thread; they share the ledger from here."""

    name = "loadstats"
    verbose_name = "Load"

    def ready(self) -> None:
        """Nothing is built at start: the first use of the cache does it."""
        self._lock = Lock()
        self._ledgers: dict[str, ReplicatedLedger] = {}

    def ledger(self, location: str, build: Callable[[], ReplicatedLedger]) -> ReplicatedLedger:
        """The ledger of a location, made on first use."""
        with self._lock:
            if location not in self._ledgers:
                self._ledgers[location] = build()
            return self._ledgers[location]
