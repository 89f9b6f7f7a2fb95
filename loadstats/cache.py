# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The ledger behind Django's cache framework: `CACHES["loadstats"]` names the engine that keeps the load.

To Django it is a cache of clusters: the key is a cluster's name, the value its engines' rows. Load is derived from
requests, so nothing can be set; `.ledger` takes them. An instance belongs to one thread, as Django makes them, and
shares the ledger of its LOCATION, which is thread-safe.
"""

from __future__ import annotations

from time import monotonic, sleep, time_ns
from typing import Any, NoReturn

from django.core.cache.backends.base import BaseCache

from loadstats.ledger import Ledger, Row
from runtime.running import shared


class MemoryLoadCache(BaseCache):
    """Load in this process's memory. OPTIONS are the ledger's own arguments.

    `ledger`: the ledger of this cache's LOCATION.
    """

    def __init__(self, location: str, params: dict[str, Any]) -> None:
        options = dict(params.get("OPTIONS", {}))
        super().__init__({**params, "OPTIONS": {}})
        self.ledger = shared(("ledger", location), lambda: Ledger(**options))

    def get(self, key: str, default: Any = None, version: int | None = None) -> list[Row] | Any:
        """Return the rows of cluster `key`, or `default` if it has no engines."""
        return self.ledger.rows(key) or default

    def has_key(self, key: str, version: int | None = None) -> bool:
        """Return whether cluster `key` has engines."""
        return bool(self.ledger.rows(key))

    def clear(self) -> None:
        """Forget all requests and engines."""
        self.ledger.clear()

    def expire(self) -> int:
        """End what is too old, slice by slice; callers are served in between. Returns how many records expired."""
        total = 0
        while handled := self.ledger.expire(monotonic(), time_ns()):
            total += handled
            sleep(0)  # lets other threads have the interpreter
        return total

    def lapse(self) -> int:
        """Apply gateways' silence to their requests and end those of dropped engines, slice by slice.

        Returns how many records changed.
        """
        total = 0
        while handled := self.ledger.lapse(monotonic(), time_ns()):
            total += handled
            sleep(0)
        if self.ledger.counts().orphans:  # their grace is shorter than the time between two rounds of expiry
            total += self.expire()
        return total

    def _derived(self, *_args: Any, **_kwargs: Any) -> NoReturn:
        raise NotImplementedError("load is derived from requests: report them to .ledger instead of setting values")

    add = set = touch = delete = incr = decr = _derived
