# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The composition root: builds a node's parts from one configuration, starts them in order and stops them in reverse.

Built, started and stopped on the main thread. The parts that other threads own say so themselves.
"""

from __future__ import annotations

import gc
import logging
import resource
import socket
import sys
from collections.abc import Iterable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from random import SystemRandom
from time import time, time_ns
from typing import cast

from channels.routing import ProtocolTypeRouter
from prometheus_client import REGISTRY

from access.part import Access
from discovery.part import Discovery
from edge.asgi import Asgi, HandlerApp
from edge.call import Table
from edge.credentials import Certificates
from edge.dispatcher import Dispatcher
from edge.doors import Doors
from edge.envelope import TraceIds
from edge.handshakes import Handshakes
from edge.hosts import HostRule
from edge.key_table import KeyTable
from edge.lane_state import LaneState
from edge.lasting import Lasting
from edge.metrics import EdgeCollector
from edge.open_doors import open_doors
from edge.page_app import PageApp
from edge.page_handler import PageHandler
from edge.page_metrics import PagesCollector
from edge.page_sites import PageSites
from edge.page_threads import PageThreads
from edge.pages import METRICS
from edge.part import AppPart, LoopPart
from edge.profiling_door import profiling_guard
from edge.quotas import CAPS, Quotas
from edge.session_caller import cookie_caller_of_thread
from edge.session_reader import SessionReader
from kvcache.part import KVCache
from loadstats.part import LoadStats
from metadata_center import __version__
from metadata_center.accounts.part import Accounts
from metadata_center.audit.part import AuditTrail
from metadata_center.metrics import NodeCollector
from metadata_center.notices.audit_sink import NoticeSink
from metadata_center.notices.part import Notices
from metadata_center.own_names import own_names
from metadata_center.part import NodeItself
from metadata_center.tls import NodeTls, TlsCollector
from replication.part import Replication
from runtime.cold_start import ColdStart
from runtime.config import Config
from runtime.data_folder import DataFolder
from runtime.full_collections import FullCollections
from runtime.health import Health, PartState
from runtime.health_watch import HealthWatch
from runtime.identity import Identity, node_name
from runtime.logs import Logs
from runtime.notices.log import NoticeLog
from runtime.periodic import EmbeddedCelery, build_app
from runtime.profiling import ProfilingServer
from runtime.running import publish
from runtime.tls import TlsWatch

logger = logging.getLogger("metadata_center.node")

# How long a busy thread keeps the interpreter when the event loop wants it. Measured: one CPU-bound thread beside the
# loop leaves it 2,000 calls/s at Python's 5 ms, 15,700 at 0.2 ms.
SWITCH_SECONDS = 0.0002
# Scrapes and log-ins have a thread each, so that neither people's pages nor a flood of passwords, each half a second of
# hashing, holds up the other. So many may wait for it.
SCRAPES = 16
LOG_INS = 16
LOG_IN = "/admin/login/"
METRICS_PAGE = "/console/metrics/"  # reads as much as a scrape does
OWN_FILES = 256  # that the node may have open beside connections


def build_doors(config: Config, keys: KeyTable) -> Doors:
    """Return the doors of a configuration."""
    return Doors(
        keys,
        required=config.auth.required,
        operate_from=config.auth.operate_from,
        trust_loopback=config.auth.trust_loopback,
        hosts=HostRule(own_names(config), config.web.allowed_hosts),
        sites=PageSites(config.sockets.origins),
    )


def build_quotas(config: Config) -> Quotas:
    """Return the quotas of a configuration. The process's limit of open files bounds connections."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    caps = {
        "connections": max(files - OWN_FILES, OWN_FILES),
        "waits": config.http.max_waiters,
        "sockets": config.sockets.max_clients,
        "pages": config.web.page_queue,
        "scrapes": SCRAPES,
        "log-ins": LOG_INS,
    }
    return Quotas(config.quotas, caps)


class Node:
    """One process's parts. `start` may be called once, `stop` always.

    `config`: its configuration.
    `http_port`: the port it really listens on; None where it is the configured one.
    `served_tls`: what the server's connections are encrypted with; None if they are not.
    `handshakes`: counts and bounds those that are not encrypted yet.

    Raises CertificateFault or OSError where a certificate has become unusable since the configuration was checked.
    """

    def __init__(self, config: Config, logs: Logs, http_port: int | None = None) -> None:
        self._config = config
        self._logs = logs
        port = config.http.port if http_port is None else http_port
        self._identity = Identity(node_name(config.node.address or socket.gethostname(), port), __version__)
        self._cold = ColdStart(config.load.request_expire_seconds)
        self._health = Health(time, self._cold.since)
        self._tls = tls = NodeTls(config) if config.http.cert_file else None
        self.served_tls = tls.server if tls is not None else None
        self.handshakes = Handshakes()
        name = self._identity.name
        notices = NoticeLog(f"{name}@{time_ns():x}", name)
        self._trail = AuditTrail(config, name, before=partial(NoticeSink, notices))
        lasting = Lasting()
        access = Access(config, lasting, self._trail.audit)
        doors = build_doors(config, access.ring)
        pprof, guard = config.pprof, profiling_guard(doors, self._trail.audit)
        profiled = self.served_tls if pprof.tls else None
        self._profiling = ProfilingServer(pprof.host, pprof.port, guard=guard, tls=profiled) if pprof.enable else None

        quotas = build_quotas(config)
        self._open_doors = open_doors(config)
        caches = KVCache(config)
        self._load = LoadStats(
            config,
            name,
            cached=caches.lengths,
            keep=caches.handlers.keep,
            cached_at=caches.handlers.names_at,
            forget=caches.handlers.forget,
            lasting=lasting,
            allow=doors.caller,
            capped=partial(quotas.note_refusal, CAPS),
        )
        discovery = Discovery(config, port)
        peers = tls.peers if tls is not None else None
        replication = Replication(config, name, self._load, caches, discovery, self._cold, doors, peers, notices)
        self._accounts = Accounts(config, DataFolder(Path(config.node.data_dir).resolve()), lasting)
        self._parts: tuple[AppPart, ...] = (
            self._accounts,  # first: those behind it read its database
            self._trail,
            self._load,
            caches,
            discovery,
            access,
            replication,
            NodeItself(logs, self._health, self._open_doors, quotas),
            Notices(
                notices,
                health=self._health,
                cold=self._cold,
                ledger=self._load.ledger,
                quotas=quotas,
                runs=lambda: self._celery.last_runs,
            ),
        )

        table = Table(route for part in self._parts for route in part.routes())
        trace_ids = TraceIds(SystemRandom().getrandbits(128))
        self._dispatcher = Dispatcher(
            table, trace_ids, logs.access, doors=doors, audit=self._trail.audit, quotas=quotas
        )
        self.lanes = LaneState(
            self._dispatcher,
            max_header_bytes=config.http.max_header_bytes,
            max_body_bytes=config.http.max_body_bytes,
            read_timeout_seconds=config.http.read_timeout_seconds,
            idle_timeout_seconds=config.http.idle_timeout_seconds,
            write_timeout_seconds=config.http.write_timeout_seconds,
            cold_seconds=self._cold.seconds,
            certificates=Certificates(config.replication.peer_names),
        )
        self._cold.on_filled = self.lanes.check_cold
        self._pages = PageThreads(config.web.page_threads, config.web.page_queue, quotas.pages)
        self._scrapes = PageThreads(1, SCRAPES, quotas.scrapes, name="scrape")
        self._log_ins = PageThreads(1, LOG_INS, quotas.log_ins, name="log-in")
        periodic = [task for part in self._parts for task in part.periodic()]
        self._celery = EmbeddedCelery(build_app(config, name), periodic)
        self._collectors = [
            NodeCollector(self._health, self._cold, self._celery, logs),
            EdgeCollector(self.lanes, self.handshakes),
            TlsCollector(tls),
            PagesCollector({"page": self._pages, "scrape": self._scrapes, "log-in": self._log_ins}),
            *(collector for part in self._parts for collector in part.collectors()),
        ]
        self._running = ExitStack()

    def application(self) -> Asgi:
        """Return the ASGI application: the handlers in front of Django's pages, and the websockets beside them."""
        own = {METRICS: self._scrapes, METRICS_PAGE: self._scrapes, LOG_IN: self._log_ins}
        pages = PageApp(PageHandler(), self._dispatcher, self._pages, own)
        kinds = {
            "http": HandlerApp(
                self._dispatcher,
                pages,
                max_body_bytes=self._config.http.max_body_bytes,
                signed_in=SessionReader(self._pages, cookie_caller_of_thread).caller,
            ),
            "websocket": self._load.sockets(self._dispatcher.doors, self._dispatcher.quotas.sockets),
        }
        return cast("Asgi", ProtocolTypeRouter(kinds))

    def loop_parts(self) -> Iterable[LoopPart]:
        """Return what the server starts and stops on its loop."""
        return [HealthWatch(self._health), *(each for part in self._parts for each in part.loop_parts())]

    def published(self) -> dict[type, object]:
        """Return what Django's own code may ask for, by class."""
        found = (
            self._config,
            self._identity,
            self._health,
            self._logs,
            self._celery,
            self._dispatcher,
            self._trail.audit,
            self._accounts.gate,
            *self._parts,
        )
        return {type(each): each for each in (*found, *([self._profiling] if self._profiling is not None else []))}

    def start(self) -> None:
        """Start every part. Raises OSError where the profiling port is taken; nothing is left running then."""
        with ExitStack() as running:
            interval = sys.getswitchinterval()
            sys.setswitchinterval(SWITCH_SECONDS)
            running.callback(sys.setswitchinterval, interval)
            if self._profiling is not None:
                self._profiling.start()
                running.callback(self._profiling.stop)
                self._health.add("profiling", False, lambda: (PartState.OK, ""))
            if self._tls is not None:
                watch = TlsWatch(self._tls.look)
                watch.start()
                running.callback(watch.stop)
                self._health.add("tls", False, self._tls.state)
            for threads in (self._pages, self._scrapes, self._log_ins):
                running.callback(threads.close)
            running.enter_context(publish(self.published()))
            for collector in self._collectors:
                REGISTRY.register(collector)
                running.callback(REGISTRY.unregister, collector)
            for part in self._parts:
                for check in part.checks():
                    self._health.add(check.name, check.essential, check.probe)
                part.start()
                running.callback(part.stop)
            self._celery.start()
            running.callback(self._celery.stop)
            self._health.add("worker", False, self._celery.worker_state)
            self._health.add("beat", False, self._celery.beat_state)
            # What is loaded by now stays: leave it out of every later collection.
            gc.collect()
            gc.freeze()
            running.callback(gc.unfreeze)
            collections = FullCollections()
            collections.start()
            running.callback(collections.stop)
            self._running = running.pop_all()
        logger.info("node %s started", self._identity.name)
        for each in self._open_doors:
            logger.info("door %s is open to: %s", each.door, "; ".join(each.open_to))

    def drain(self) -> None:
        """Report that the server stops soon, and answer the calls that wait."""
        self._health.draining()
        for part in self._parts:
            part.drain()

    def flush(self) -> None:
        """Begin to hand on what was taken from clients."""
        for part in self._parts:
            part.flush()

    def flushed(self) -> bool:
        """Return whether all of that is where it belongs."""
        return all(part.flushed() for part in self._parts)

    def stop(self) -> None:
        """Stop every part, the last started first."""
        self._health.draining()
        self._running.close()
        logger.info("node %s stopped", self._identity.name)
