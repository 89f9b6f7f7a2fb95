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
from random import SystemRandom
from time import time
from typing import TYPE_CHECKING, cast

from django.apps import apps
from django.core.cache import caches
from prometheus_client import REGISTRY

from loadstats.cache import MemoryLoadCache
from loadstats.handlers import LoadHandlers
from loadstats.metrics import LoadCollector
from metadata_center.apps import MetadataCenterConfig
from metadata_center.config import Config
from metadata_center.health import Health, State
from metadata_center.http.asgi import Asgi, HandlerApp
from metadata_center.http.call import Table
from metadata_center.http.edge import Edge
from metadata_center.http.envelope import TraceIds
from metadata_center.http.lane import LaneState
from metadata_center.http.server import LoopPart
from metadata_center.logs import Logs
from metadata_center.logs.handlers import LogHandlers
from metadata_center.metrics import EdgeCollector, NodeCollector
from metadata_center.peers import Peers
from metadata_center.profiling import ProfilingServer
from metadata_center.status import StatusHandlers
from metadata_center.work import EmbeddedCelery, PeriodicTask, build_app

if TYPE_CHECKING:
    from prometheus_client.registry import Collector

logger = logging.getLogger("metadata_center.node")

# How long a busy thread keeps the interpreter when the event loop wants it. Measured: one CPU-bound thread beside the
# loop leaves it 2,000 calls/s at Python's 5 ms, 15,700 at 0.2 ms.
SWITCH_SECONDS = 0.0002


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
        self.peers = Peers(config, self.ledger, name=self.name, port=port)
        handlers = (load, self.peers.handlers, LogHandlers(logs), StatusHandlers(self.health))
        table = Table(route for part in handlers for route in part.routes())
        self.edge = Edge(table, TraceIds(SystemRandom().getrandbits(128)), logs.access)
        self.lanes = LaneState(
            self.edge,
            max_header_bytes=config.http.max_header_bytes,
            max_body_bytes=config.http.max_body_bytes,
            read_timeout_seconds=config.http.read_timeout_seconds,
            idle_timeout_seconds=config.http.idle_timeout_seconds,
            write_timeout_seconds=config.http.write_timeout_seconds,
        )
        expire = PeriodicTask("expire", "loadstats.expire", config.load.gc_interval_seconds)
        self.celery = EmbeddedCelery(build_app(config, self.name), [expire, *self.peers.periodic()])
        self.profiling = ProfilingServer(config.pprof.host, config.pprof.port) if config.pprof.enable else None
        self._collectors: list[Collector] = [
            NodeCollector(self.health, self.celery, logs),
            EdgeCollector(self.lanes),
            LoadCollector(self.cache),
            *self.peers.collectors(),
        ]
        self._running = ExitStack()

    def application(self, pages: Asgi) -> Asgi:
        """The handlers as an ASGI application, in front of `pages`."""
        return HandlerApp(self.edge, pages, max_body_bytes=self.config.http.max_body_bytes)

    def loop_parts(self) -> Iterable[LoopPart]:
        """What the server starts and stops on its loop."""
        return self.peers.loop_parts()

    def start(self) -> None:
        """Start every part. Raises OSError where the profiling port is taken; nothing is left running then."""
        with ExitStack() as running:
            interval = sys.getswitchinterval()
            sys.setswitchinterval(SWITCH_SECONDS)
            running.callback(sys.setswitchinterval, interval)
            if self.profiling is not None:
                self.profiling.start()
                running.callback(self.profiling.stop)
                self.health.add("profiling", False, lambda: (State.OK, ""))
            config = cast("MetadataCenterConfig", apps.get_app_config("metadata_center"))
            config.node = self
            running.callback(setattr, config, "node", None)
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

    def stop(self) -> None:
        """Stop every part, the last started first."""
        self.health.draining()
        self._running.close()
        logger.info("node %s stopped", self.name)
