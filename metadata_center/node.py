# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The composition root: builds a node's parts from one configuration, starts them in order and stops them in reverse.

Built, started and stopped on the main thread. The parts that other threads own say so themselves.
"""

from __future__ import annotations

import gc
import logging
import socket
import sys
from collections.abc import Iterable
from contextlib import ExitStack
from random import Random, SystemRandom
from time import time
from typing import TYPE_CHECKING, cast

from channels.layers import get_channel_layer
from channels.routing import ProtocolTypeRouter
from django.apps import apps
from django.core.cache import caches
from msgspec.structs import asdict
from prometheus_client import REGISTRY

from edge.asgi import Asgi, HandlerApp
from edge.call import Table
from edge.dispatcher import Dispatcher
from edge.envelope import TraceIds
from edge.lanes import LaneState
from edge.server import LoopPart
from kvcache.handlers import CacheHandlers
from kvcache.index import CacheIndex, Lengths
from kvcache.metrics import CacheCollector
from loadstats.batch import BatchHandlers
from loadstats.cache import MemoryLoadCache
from loadstats.engines import EngineHandlers
from loadstats.handlers import LoadHandlers
from loadstats.inspection import InspectionHandlers
from loadstats.keepalive import KeepAliveHandlers
from loadstats.ledger import EngineName, Inspection
from loadstats.live.feed import Feed
from loadstats.live.meter import SocketCollector
from loadstats.live.routing import sockets
from loadstats.metrics import LoadCollector, WaitCollector
from loadstats.pick.handlers import PickHandlers
from loadstats.pick.options import PickOptions
from loadstats.query import QueryHandlers
from loadstats.waits import Waits
from metadata_center.apps import MetadataCenterConfig
from metadata_center.log_level import LogHandlers
from metadata_center.metrics import EdgeCollector, NodeCollector
from metadata_center.peers import Peers
from metadata_center.status import StatusHandlers
from runtime.config import Config
from runtime.health import Health, PartState
from runtime.logs import Logs
from runtime.periodic import EmbeddedCelery, PeriodicTask, build_app
from runtime.profiling import ProfilingServer

if TYPE_CHECKING:
    from prometheus_client.registry import Collector

    from kvcache.apps import KvcacheConfig

logger = logging.getLogger("metadata_center.node")

# How long a busy thread keeps the interpreter when the event loop wants it. Measured: one CPU-bound thread beside the
# loop leaves it 2,000 calls/s at Python's 5 ms, 15,700 at 0.2 ms.
SWITCH_SECONDS = 0.0002
LAPSE_SECONDS = 1.0  # between two looks at whose heartbeats are late: they count seconds


class Node:
    """One process's parts. `http_port` is the port it really listens on. `start` may be called once; `stop` always."""

    def __init__(self, config: Config, logs: Logs, http_port: int | None = None) -> None:
        self.config = config
        self.logs = logs
        port = config.http.port if http_port is None else http_port
        self.name = f"{config.node.address or socket.gethostname()}:{port}"
        self.health = Health(time)
        self.cache = cast("MemoryLoadCache", caches["loadstats"])
        self.ledger = self.cache.ledger
        load = LoadHandlers(self.ledger)
        self.waits = Waits(self.ledger.tag, most=config.http.max_waiters)
        self.ledger.life = b"%x" % SystemRandom().getrandbits(48)
        query = QueryHandlers(self.ledger, self.waits)
        keepalive = KeepAliveHandlers(self.ledger)
        self.inspection = Inspection(self.ledger)
        look = InspectionHandlers(self.inspection, self.name)
        self.kvcache = _kvcache(config)
        self.kvcalls = CacheHandlers(self.kvcache)
        pick = PickHandlers(
            self.ledger,
            PickOptions(**asdict(config.pick)),
            Random().random,  # noqa: S311 no secret
            cached=self._cached,
            keep=self.kvcalls.keep,
        )
        self.ledger.on_closed = self._engine_closed
        self.peers = Peers(config, self.ledger, self.kvcache, self.kvcalls, name=self.name, port=port)
        handlers = (
            load,
            query,
            keepalive,
            BatchHandlers(self.ledger),
            EngineHandlers(self.ledger),
            pick,
            look,
            self.kvcalls,
            self.peers.handlers,
            LogHandlers(logs),
            StatusHandlers(self.health),
        )
        table = Table(route for part in handlers for route in part.routes())
        self.dispatcher = Dispatcher(table, TraceIds(SystemRandom().getrandbits(128)), logs.access)
        self.lanes = LaneState(
            self.dispatcher,
            max_header_bytes=config.http.max_header_bytes,
            max_body_bytes=config.http.max_body_bytes,
            read_timeout_seconds=config.http.read_timeout_seconds,
            idle_timeout_seconds=config.http.idle_timeout_seconds,
            write_timeout_seconds=config.http.write_timeout_seconds,
        )
        self.feed = Feed(
            self.ledger,
            self.name,
            get_channel_layer,
            interval_seconds=config.sockets.interval_seconds,
            max_clients=config.sockets.max_clients,
        )
        expire = PeriodicTask("expire", "loadstats.expire", config.load.gc_interval_seconds)
        lapse = PeriodicTask("lapse", "loadstats.lapse", LAPSE_SECONDS)
        periodic = [expire, lapse, *self.peers.periodic()]
        if self.kvcache is not None:
            periodic.append(PeriodicTask("expire-caches", "kvcache.expire", config.kvcache.gc_interval_seconds))
        self.celery = EmbeddedCelery(build_app(config, self.name), periodic)
        self.profiling = ProfilingServer(config.pprof.host, config.pprof.port) if config.pprof.enable else None
        self._collectors: list[Collector] = [
            NodeCollector(self.health, self.celery, logs),
            EdgeCollector(self.lanes),
            LoadCollector(self.cache),
            WaitCollector(self.waits),
            SocketCollector(self.feed.meter),
            *self.peers.collectors(),
        ]
        if self.kvcache is not None:
            self._collectors.append(CacheCollector(self.kvcache))
        self._running = ExitStack()

    def application(self, pages: Asgi) -> Asgi:
        """The handlers as an ASGI application, in front of `pages`, and the websockets beside them."""
        config = self.config
        kinds = {
            "http": HandlerApp(self.dispatcher, pages, max_body_bytes=config.http.max_body_bytes),
            "websocket": sockets(self.feed, origins=config.sockets.origins, allowed_hosts=config.web.allowed_hosts),
        }
        return cast("Asgi", ProtocolTypeRouter(kinds))

    def loop_parts(self) -> Iterable[LoopPart]:
        """What the server starts and stops on its loop."""
        return [*self.peers.loop_parts(), self.feed]

    def start(self) -> None:
        """Start every part. Raises OSError where the profiling port is taken; nothing is left running then."""
        with ExitStack() as running:
            interval = sys.getswitchinterval()
            sys.setswitchinterval(SWITCH_SECONDS)
            running.callback(sys.setswitchinterval, interval)
            if self.profiling is not None:
                self.profiling.start()
                running.callback(self.profiling.stop)
                self.health.add("profiling", False, lambda: (PartState.OK, ""))
            config = cast("MetadataCenterConfig", apps.get_app_config("metadata_center"))
            config.node = self
            running.callback(setattr, config, "node", None)
            caches_app = cast("KvcacheConfig", apps.get_app_config("kvcache"))
            caches_app.index = self.kvcache
            running.callback(setattr, caches_app, "index", None)
            for collector in self._collectors:
                REGISTRY.register(collector)
                running.callback(REGISTRY.unregister, collector)
            self.peers.start(self.health)
            running.callback(self.peers.stop)
            self.celery.start()
            running.callback(self.celery.stop)
            self.health.add("worker", False, self.celery.worker_state)
            self.health.add("beat", False, self.celery.beat_state)
            # What is loaded by now stays: leave it out of every later collection.
            gc.collect()
            gc.freeze()
            running.callback(gc.unfreeze)
            self._running = running.pop_all()
        logger.info("node %s started", self.name)

    def drain(self) -> None:
        """The server stops soon: say so, and let nobody wait."""
        self.health.draining()
        self.waits.end()

    def stop(self) -> None:
        """Stop every part, the last started first."""
        self.health.draining()
        self._running.close()
        logger.info("node %s stopped", self.name)

    def _cached(self, cluster: str, hashes: tuple[int, ...]) -> Lengths | None:
        """How much of a prompt the engines of a cluster hold."""
        return None if self.kvcache is None else self.kvcache.lengths(cluster, hashes)

    def _engine_closed(self, cluster: str, engine: str) -> None:
        self.kvcalls.engine_gone(cluster, EngineName.of(engine).ip)


def _kvcache(config: Config) -> CacheIndex | None:
    if not config.kvcache.enable:
        return None
    return CacheIndex(
        ttl_seconds=config.kvcache.block_expire_seconds,
        max_blocks=config.kvcache.max_blocks,
        max_engine_blocks=config.kvcache.max_engine_blocks,
        max_engines=config.load.max_engines,
    )
