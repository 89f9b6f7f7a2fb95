# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The load of engines as a part of a node: the ledger, its calls, its websockets, its metrics and its recurring work.

Built, started and stopped on the main thread. The ledger may be used from any thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from random import Random, SystemRandom
from typing import cast

from channels.layers import get_channel_layer
from django.core.cache import caches
from msgspec.structs import asdict
from prometheus_client.registry import Collector

from edge.asgi import Asgi
from edge.call import Route
from edge.doors import Doors
from edge.lasting import Lasting
from edge.part import AppPart, LoopPart
from edge.places import Places
from loadstats.batch import Allow, BatchHandlers, Capped
from loadstats.cache import MemoryLoadCache
from loadstats.engines import EngineHandlers
from loadstats.handlers import LoadHandlers
from loadstats.history import History, HistorySampler, Sampling
from loadstats.history.handlers import HistoryHandlers
from loadstats.inspection import InspectionHandlers
from loadstats.keepalive import KeepAliveHandlers
from loadstats.live.feed import Feed
from loadstats.live.meter import SocketCollector
from loadstats.live.routing import sockets
from loadstats.metrics import LoadCollector, WaitCollector
from loadstats.owner_metrics import OwnerCollector
from loadstats.owners import OwnerHandlers
from loadstats.pick.handlers import Cached, Keep, PickHandlers
from loadstats.pick.options import PickOptions
from loadstats.query import QueryHandlers
from loadstats.shared_census import SharedCensus
from loadstats.stale import stale_seconds
from loadstats.waits import Waits
from runtime.config import Config
from runtime.periodic import PeriodicTask

LAPSE_SECONDS = 1.0  # between two looks at whose heartbeats are late: they count seconds


class LoadStats(AppPart):
    """The load that this node counts.

    `history`: the last hour of it.

    `node`: this node's name.
    `cached`: looks up how much of a prompt the engines of a cluster hold.
    `keep`: records that an engine holds a prompt.
    `cached_at`: returns the names of the engines of a cluster at an address whose caches hold something.
    `forget`: takes that an engine has lost its cache. Returns whether anything was known of it.
    `lasting`: what ends when its caller's key or session does: sockets and calls that wait.
    `allow`: raises ContractError if a caller may not do what a scope stands for.
    `capped`: takes a client and a reason when a part of its call was refused by a cap.
    """

    def __init__(
        self,
        config: Config,
        node: str,
        *,
        cached: Cached,
        keep: Keep,
        cached_at: Callable[[str, str], Iterable[str]],
        forget: Callable[[str, str], bool],
        lasting: Lasting | None = None,
        allow: Allow | None = None,
        capped: Capped = lambda client, reason: None,
    ) -> None:
        self._config = config
        self._cache = cast("MemoryLoadCache", caches["loadstats"])
        self.ledger = ledger = self._cache.ledger
        ledger.loads.incarnation = b"%x" % SystemRandom().getrandbits(48)
        ledger.on_dropped = forget
        ledger.loads.cached_at = cached_at
        self.history = History()
        sampling = Sampling(ledger, self.history, stale_seconds(config.load.request_expire_seconds))
        self._sampler = HistorySampler(self.history, sampling)
        self.census = SharedCensus(ledger.censuses)
        self._waits = Waits(ledger.loads.tag, most=config.http.max_waiters, lasting=lasting)
        self._feed = Feed(
            ledger,
            node,
            get_channel_layer,
            interval_seconds=config.sockets.interval_seconds,
            max_clients=config.sockets.max_clients,
            lasting=lasting,
        )
        self._handlers = (
            LoadHandlers(ledger),
            QueryHandlers(ledger.loads, self._waits),
            KeepAliveHandlers(ledger),
            BatchHandlers(ledger, allow=allow, capped=capped),
            EngineHandlers(ledger),
            PickHandlers(
                ledger,
                PickOptions(**asdict(config.pick)),
                Random().random,  # noqa: S311 no secret
                cached=cached,
                keep=keep,
            ),
            InspectionHandlers(ledger.requests, node),
            HistoryHandlers(self.history),
            OwnerHandlers(ledger, self.census, node),
        )

    def routes(self) -> Iterable[Route]:
        return [route for handlers in self._handlers for route in handlers.routes()]

    def collectors(self) -> Iterable[Collector]:
        return [
            LoadCollector(
                self._cache,
                self._config.metrics.max_engines,
                stale_seconds=stale_seconds(self._config.load.request_expire_seconds),
                cool_down_seconds=self._config.pick.cool_down_seconds,
            ),
            OwnerCollector(self.census, self._config.metrics.max_owners),
            WaitCollector(self._waits),
            SocketCollector(self._feed.meter),
        ]

    def periodic(self) -> Iterable[PeriodicTask]:
        return [
            PeriodicTask("expire", "loadstats.expire", self._config.load.gc_interval_seconds),
            PeriodicTask("lapse", "loadstats.lapse", LAPSE_SECONDS),
        ]

    def loop_parts(self) -> Iterable[LoopPart]:
        return [self._feed, self._sampler]

    def drain(self) -> None:
        self._waits.end()

    def flushed(self) -> bool:
        """Return whether all requests of dropped engines are ended, and so in the journal. `lapse` ends them."""
        return not self.ledger.dropping

    def sockets(self, doors: Doors, places: Places) -> Asgi:
        """Return the ASGI application for websockets."""
        return cast("Asgi", sockets(self._feed, doors, places))
