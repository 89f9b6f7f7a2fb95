# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Replication as a part of a node: the journal, the links to the peers, the calls between nodes.

Built, started and stopped on the main thread; the links live on the event loop. A node without discovery is alone: it
takes what peers send, numbers its own events and sends them to nobody.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from random import Random
from time import monotonic, time_ns

from prometheus_client.registry import Collector

from discovery.host import Host
from discovery.part import Discovery
from edge.addresses import EngineNames
from edge.call import Route
from edge.caller import Scope
from edge.doors import Doors
from edge.part import AppPart, HealthCheck, LoopPart
from kvcache.index import CacheIndex
from kvcache.part import KVCache
from loadstats.handlers import LoadHandlers
from loadstats.ledger import Ledger, LegacyLedgerAdapter
from loadstats.part import LoadStats
from replication.admission import Admission
from replication.client import Connection
from replication.entities import Entities
from replication.entities.caches import ReplicatedCaches
from replication.entities.requests import ReplicatedRequests
from replication.handlers import ReplicaHandlers
from replication.history import HistoryExchange, SharedHistory
from replication.journal import Journal
from replication.links import Links
from replication.metrics import ReplicationCollector
from replication.notices import NoticeExchange
from replication.numbering import Numbering
from replication.paths import NOTICES
from replication.replica import Replica
from replication.snapshot.part import OwnSnapshot
from runtime.cold_start import ColdStart
from runtime.config import Config
from runtime.metrics.meter import Meter
from runtime.notices.log import NoticeLog
from runtime.periodic import PeriodicTask
from runtime.tls import Renewed


class Replication(AppPart):
    """This node among its peers.

    `node`: this node's name among them.
    `links`: the links to the peers.
    `handlers`: the calls between nodes.

    `cold`: noted as filled once a peer has filled this node.
    `doors`: say who is let in whom the peers' addresses do not tell.
    `tls`: what peers are called with; None: they are called without TLS.
    `notices`: the node's log of notices, shared with its peers.
    """

    def __init__(
        self,
        config: Config,
        node: str,
        load: LoadStats,
        caches: KVCache,
        discovery: Discovery,
        cold: ColdStart,
        doors: Doors | None = None,
        tls: Renewed | None = None,
        notices: NoticeLog | None = None,
    ) -> None:
        notices = NoticeLog(node, node) if notices is None else notices
        self._config = config
        self._alone = discovery.directory is None
        self._ledger = ledger = load.ledger
        self._shared: tuple[Ledger | CacheIndex, ...] = (ledger, *([] if caches.index is None else [caches.index]))
        # A life's name: a node that forgot everything must not continue the numbers of the one before.
        self._journal = Journal(ledger.replica.origin(f"{node}@{time_ns():x}"))
        canonical = EngineNames().canonical
        entities = Entities(
            ReplicatedRequests(ledger, canonical),
            ReplicatedCaches(caches.index, ledger.journal_event, caches.handlers.stamps.seen, canonical),
        )
        self._replica = Replica(self._journal, entities)
        self._replica.console_url = config.node.console_url.rstrip("/")
        self._lag = Meter()
        admission = Admission(
            config.replication.secret,
            doors,
            origin=self._journal.origin.name,
            by_address=config.http.client_cert != "required",
        )
        self._secret = admission.secret
        self.links = Links(
            self._replica,
            self._journal,
            admission,
            self._connect,
            join_seconds=config.replication.join_timeout_seconds,
            random=Random(),  # noqa: S311 jitter and whom to ask first
            observe=lambda seconds: self._lag.record(200, int(seconds * 1e9)),
            cold=cold,
            notices=notices,
        )
        self._exchange = NoticeExchange(notices, self.links.links)
        answer = admission.guard(self._exchange.answer, NOTICES)
        self._exchanged = Route("POST", NOTICES, answer, internal=True, scope=Scope.REPLICATE)
        legacy = LoadHandlers(LegacyLedgerAdapter(ledger.replica))
        self.handlers = ReplicaHandlers(
            self._replica,
            admission,
            self.links.links,
            {
                "load.stats.set": legacy.add,
                "load.stats.delete": legacy.done,
                "load.prompt.delete": legacy.first_token,
            },
            cold_since=cold.since,
        )
        key = config.replication.key
        self._headers = f"Authorization: Bearer {key}\r\n".encode() if key else b""
        self._tls = tls
        discovery.subscribe(self._set_peers)
        self._cold = cold
        self._cache_calls, self._cache_events = caches.handlers, entities.caches
        load.history.settled = lambda: self._replica.joined
        history = SharedHistory(load.history)
        self._history = HistoryExchange(history, self._replica, self.links.links, admission)
        self._snapshot: OwnSnapshot | None = None
        if config.node.snapshot:
            self._snapshot = OwnSnapshot(
                self._replica,
                self._journal,
                Path(config.node.data_dir).resolve(),
                alone=self._alone,
                most_seconds=config.load.request_expire_seconds,
                forget=ledger.clear,
                handed_on=self.links.handed_on,
                history=history,
                notices=notices,
            )
        if self._alone:
            self._replica.joined = True
        else:
            self._number()

    def routes(self) -> Iterable[Route]:
        return [*self.handlers.routes(), self._history.route(), self._exchanged]

    def collectors(self) -> Iterable[Collector]:
        kept = [] if self._snapshot is None else [self._snapshot.collector]
        return [ReplicationCollector(self._replica, self._journal, self.links.links, self._lag), *kept]

    def periodic(self) -> Iterable[PeriodicTask]:
        if self._alone:
            return []
        return [PeriodicTask("sweep", "replication.sweep", self._config.replication.reconcile_interval_seconds)]

    def loop_parts(self) -> Iterable[LoopPart]:
        numbering = Numbering(self._number, self._tend, self._number_no_more)
        kept = [] if self._snapshot is None else [self._snapshot]
        return [*([numbering] if self._alone else [self.links, self._history, self._exchange]), *kept]

    def checks(self) -> Iterable[HealthCheck]:
        links = [] if self._alone else [HealthCheck("replication", True, self.links.state)]
        return [*links, *([] if self._snapshot is None else [HealthCheck("snapshot", False, self._snapshot.state)])]

    def start(self) -> None:
        """Restore what a former life of this node left."""
        if self._snapshot is not None and self._snapshot.restore() is not None:
            if self._alone:
                self._cold.filled("what this node left when it last ended")
            else:
                self.links.anti_entropy.restored = True

    def flush(self) -> None:
        self.links.flush()
        self._exchange.flush()
        if self._snapshot is not None:
            self._snapshot.flush()

    def flushed(self) -> bool:
        """Return whether every peer that can be reached, and the disk, has what this node's clients reported."""
        handed_on = self.links.flushed() and self._exchange.flushed()
        return handed_on and (self._snapshot is None or self._snapshot.flushed())

    def stop(self) -> None:
        """Keep no journal any longer. The links stop with the event loop."""
        self._number_no_more()

    def _tend(self) -> None:
        """Do what a sweep does in a node with peers."""
        self._replica.trim(())
        self._replica.hold((), monotonic())

    def _number(self) -> None:
        self._ledger.journal = self._journal
        self._cache_calls.journal = self._cache_events

    def _number_no_more(self) -> None:
        self._ledger.journal = None

    def _set_peers(self, hosts: Sequence[Host]) -> None:
        self.links.set_peers([_peer(host) for host in hosts])
        for each in self._shared:  # what clients may hold here is on every node
            each.nodes = 1 + len(hosts)

    def _connect(self, address: str, port: int) -> Connection:
        replication = self._config.replication
        return Connection(
            address,
            port,
            dial_seconds=replication.dial_timeout_seconds,
            request_seconds=replication.request_timeout_seconds,
            headers=self._headers,
            secret=self._secret,
            tls=self._tls,
            peer_names=replication.peer_names,
        )


def _peer(host: Host) -> tuple[str, int]:
    assert host.port is not None  # the directory fills it in
    return host.address, host.port
