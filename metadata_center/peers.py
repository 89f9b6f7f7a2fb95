# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The part of the composition root that is about other nodes: discovery tells who they are, replication speaks to them.

Built, started and stopped on the main thread, with the node. A node without a discovery is alone: it still takes what
peers send it, and keeps no journal.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterable
from random import Random
from threading import Thread
from time import monotonic, time, time_ns
from typing import TYPE_CHECKING, Any, cast

from django.apps import apps

from discovery.choice import choose
from discovery.directory import Directory
from discovery.host import Host
from discovery.metrics import DiscoveryCollector
from discovery.own import Own
from edge.body import Addresses
from edge.server import LoopPart
from kvcache.handlers import CacheHandlers
from kvcache.index import CacheIndex
from loadstats.handlers import LoadHandlers
from loadstats.ledger import Hearsay, ReplicatedLedger
from loadstats.wire import EngineNames
from replication.admission import Admission
from replication.client import Connection
from replication.entities import Entities
from replication.entities.caches import ReplicatedCaches
from replication.entities.requests import ReplicatedRequests
from replication.handlers import ReplicaHandlers
from replication.journal import Journal
from replication.links import Links
from replication.metrics import ReplicationCollector
from replication.paths import SECRET_HEADER
from replication.replica import Replica
from runtime.config import Config
from runtime.health import Health
from runtime.metrics.meter import Meter
from runtime.periodic import PeriodicTask

if TYPE_CHECKING:
    from prometheus_client.registry import Collector

    from discovery.apps import DiscoveryConfig
    from replication.apps import ReplicationConfig


class Peers:
    """`name` is this node's own among them, `port` the one its API listens on."""

    def __init__(
        self,
        config: Config,
        ledger: ReplicatedLedger,
        index: CacheIndex | None,
        caches: CacheHandlers,
        *,
        name: str,
        port: int,
    ) -> None:
        self._config = config
        self._ledger = ledger
        # A life's name: a node that forgot everything must not continue the numbers of the one before.
        self._journal = Journal(ledger.origin(f"{name}@{time_ns():x}"))
        entities = Entities(
            ReplicatedRequests(ledger, EngineNames().check),
            ReplicatedCaches(index, ledger.tell, caches.stamps.seen, Addresses().check),
        )
        self._replica = Replica(self._journal, entities)
        self._lag = Meter()
        admission = Admission(config.replication.secret)
        self._links = Links(
            self._replica,
            self._journal,
            admission,
            self._connect,
            join_seconds=config.replication.join_timeout_seconds,
            random=Random(),  # noqa: S311 jitter and whom to ask first
            observe=lambda seconds: self._lag.record(200, int(seconds * 1e9)),
        )
        hearsay = LoadHandlers(Hearsay(ledger))
        self.handlers = ReplicaHandlers(
            self._replica,
            admission,
            self._links.links,
            {
                "load.stats.set": hearsay.add,
                "load.stats.delete": hearsay.done,
                "load.prompt.delete": hearsay.first_token,
            },
        )
        self._tls = _trust(config)
        self._headers = (
            f"{SECRET_HEADER}: {config.replication.secret}\r\n".encode() if config.replication.secret else b""
        )
        self._directory = self._build_directory(port)
        if self._directory is None:
            self._replica.joined = True
        else:
            ledger.journal = self._journal
            caches.journal = entities.caches

    def _build_directory(self, port: int) -> Directory | None:
        config = self._config
        discovery = choose(config.discovery, monotonic)
        if discovery is None:
            return None
        directory = Directory(
            discovery,
            Own(config.node.address, port),
            target_port=config.replication.target_port,
            grace_seconds=config.discovery.grace_seconds,
            clock=time,
            monotonic=monotonic,
        )
        directory.subscribe(self._changed)
        return directory

    def _changed(self, added: object, removed: object) -> None:
        assert self._directory is not None
        self._links.set_peers([_peer(host) for host in self._directory.peers()])

    def _connect(self, address: str, port: int) -> Connection:
        replication = self._config.replication
        return Connection(
            address,
            port,
            dial_seconds=replication.dial_timeout_seconds,
            request_seconds=replication.request_timeout_seconds,
            headers=self._headers,
            tls=self._tls,
        )

    def told(self) -> dict[str, Any]:
        """This node among its peers, as `GET /v1/replica/peers` tells it."""
        return self.handlers.report()

    def resync(self, name: str) -> bool:
        """Pull everything from a peer. False where there is none of this name."""
        return self._links.resync(name)

    def periodic(self) -> list[PeriodicTask]:
        """The recurring work: looking peers up, mending what differs."""
        if self._directory is None:
            return []
        return [
            PeriodicTask("discover", "discovery.refresh", self._config.discovery.interval_seconds),
            PeriodicTask("sweep", "replication.sweep", self._config.replication.reconcile_interval_seconds),
        ]

    def collectors(self) -> list[Collector]:
        """What Prometheus is told."""
        found: list[Collector] = [ReplicationCollector(self._replica, self._journal, self._links.links, self._lag)]
        if self._directory is not None:
            found.append(DiscoveryCollector(self._directory, self._config.discovery.host))
        return found

    def loop_parts(self) -> Iterable[LoopPart]:
        """What lives on the server's loop."""
        return [] if self._directory is None else [self._links]

    def start(self, health: Health) -> None:
        """Look the peers up, at once and on a thread of its own: the node need not wait to serve."""
        if self._directory is None:
            return
        directory = self._directory
        health.add("discovery", False, directory.state)
        health.add("replication", True, self._links.state)
        cast("DiscoveryConfig", apps.get_app_config("discovery")).directory = directory
        cast("ReplicationConfig", apps.get_app_config("replication")).links = self._links
        Thread(target=self._first_look, name="first-look-up", daemon=True).start()

    def _first_look(self) -> None:
        assert self._directory is not None
        self._directory.refresh()
        if not self._directory.peers() and self._directory.lookups().last_success is not None:
            self._links.set_peers([])  # alone, and sure of it: there was no change to be told of

    def stop(self) -> None:
        """No more recurring work. The links themselves stop with the loop."""
        cast("DiscoveryConfig", apps.get_app_config("discovery")).directory = None
        cast("ReplicationConfig", apps.get_app_config("replication")).links = None
        self._ledger.journal = None


def _peer(host: Host) -> tuple[str, int]:
    assert host.port is not None  # the directory fills it in
    return host.address, host.port


def _trust(config: Config) -> ssl.SSLContext | None:
    """How peers are spoken to where nodes serve TLS: they must show our own certificate, or one that the system trusts.
    They are called by address, which certificates seldom name."""
    if not config.http.cert_file:
        return None
    context = ssl.create_default_context()
    context.load_verify_locations(config.http.cert_file)
    context.check_hostname = False
    return context
