# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Replication as a part of a node: the journal, the links to the peers, the calls between nodes.

Built, started and stopped on the main thread; the links and the log live on the event loop. A node without discovery
and log is alone: it takes what peers send, numbers its own events and sends them to no one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from random import Random
from socket import gethostname
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
from replication.log.attachments import Attachments, NoticeWriter
from replication.log.clock import LoopClock
from replication.log.member import LogMember
from replication.log.metrics import LogCollector
from replication.log.part import SharedLog
from replication.log.valkey import open_log_server
from replication.metrics import ReplicationCollector
from replication.notices import NoticeExchange
from replication.numbering import Numbering
from replication.paths import NOTICES
from replication.replica import Replica
from replication.snapshot.part import OwnSnapshot
from runtime.cold_start import ColdStart
from runtime.config import Config
from runtime.config.log_url import parse_log_url
from runtime.metrics.meter import Meter
from runtime.notices.log import NoticeLog
from runtime.periodic import PeriodicTask
from runtime.tls import Renewed


class Replication(AppPart):
    """This node among its peers.

    `node`: this node's name among them.
    `links`: the links to the peers.
    `log`: the log that it shares with others; None: there is none.
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
        self._mesh = discovery.directory is not None
        self._alone = not self._mesh and not config.replication.log
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
        history = SharedHistory(load.history)
        self.log = self._shared_log(node, cold, notices, history) if config.replication.log else None
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
            log=None if self.log is None else self.log.report,
        )
        key = config.replication.key
        self._headers = f"Authorization: Bearer {key}\r\n".encode() if key else b""
        self._tls = tls
        discovery.subscribe(self._set_peers)
        self._cold = cold
        self._cache_calls, self._cache_events = caches.handlers, entities.caches
        load.history.settled = lambda: self._replica.joined
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
                handed_on=self._handed_on,
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
        peers = ReplicationCollector(self._replica, self._journal, self.links.links, self._lag)
        return [peers, LogCollector(self.log), *kept]

    def periodic(self) -> Iterable[PeriodicTask]:
        if not self._mesh:
            return []
        return [PeriodicTask("sweep", "replication.sweep", self._config.replication.reconcile_interval_seconds)]

    def loop_parts(self) -> Iterable[LoopPart]:
        numbering = Numbering(self._number, self._tend, self._number_no_more)
        kept = [] if self._snapshot is None else [self._snapshot]
        numbered = [numbering] if self._alone else []
        links: list[LoopPart] = [self.links, self._history, self._exchange] if self._mesh else []
        logged = [] if self.log is None else [self.log]
        return [*numbered, *links, *logged, *kept]

    def checks(self) -> Iterable[HealthCheck]:
        links = [HealthCheck("replication", True, self.links.state)] if self._mesh else []
        logged = [] if self.log is None else [HealthCheck("log", True, self.log.state)]
        return [
            *links,
            *logged,
            *([] if self._snapshot is None else [HealthCheck("snapshot", False, self._snapshot.state)]),
        ]

    def start(self) -> None:
        """Restore what a former life of this node left."""
        if self._snapshot is not None and (restored := self._snapshot.restore()) is not None:
            if self.log is not None:
                self.log.member.joining.former = restored.origin
                if self._snapshot.nodes:
                    self.log.member.silent.recall(self._snapshot.nodes)
            if self._alone:
                self._cold.filled("what this node left when it last ended")
            else:
                self.links.anti_entropy.restored = True

    def flush(self) -> None:
        self.links.flush()
        self._exchange.flush()
        if self.log is not None:
            self.log.flush()
        if self._snapshot is not None:
            self._snapshot.flush()

    def flushed(self) -> bool:
        """Return whether every peer that can be reached, and the disk, has what this node's clients reported."""
        logged = self.log is None or self.log.flushed()
        handed_on = self.links.flushed() and self._exchange.flushed() and logged
        return handed_on and (self._snapshot is None or self._snapshot.flushed())

    def stop(self) -> None:
        """Keep no journal any longer. The links stop with the event loop."""
        self._number_no_more()

    def _tend(self) -> None:
        """Do what a sweep does in a node with peers."""
        self._replica.trim(())
        self._replica.hold((), monotonic())

    def _shared_log(self, node: str, cold: ColdStart, notices: NoticeLog, history: SharedHistory) -> SharedLog:
        """Return this node's log."""
        settings = self._config.replication
        url = parse_log_url(settings.log)
        server = open_log_server(
            url,
            settings.log_name,
            dial_seconds=settings.dial_timeout_seconds,
            patience_seconds=settings.request_timeout_seconds,
        )
        member = LogMember(
            self._replica,
            self._journal,
            server,
            LoopClock(),
            random=Random(),  # noqa: S311 jitter and ids
            cold=cold,
            join_seconds=settings.join_timeout_seconds,
            keep_seconds=self._config.load.request_expire_seconds,
            address=node,
            machine=gethostname(),
            observe=lambda seconds: self._lag.record(200, int(seconds * 1e9)),
            attachments=Attachments(notices, history),
            keep=self._keep_nodes,
        )
        self._replica.log = member
        if self._mesh:
            self.links.anti_entropy.first = member.ready.wait
        return SharedLog(
            member,
            server,
            self._replica,
            self._journal,
            url.place,
            NoticeWriter(notices, server, member.status, member.roster, LoopClock()),
            beside_mesh=self._mesh,
            tend=self._tend_log,
        )

    def _keep_nodes(self, body: bytes) -> None:
        if self._snapshot is not None:
            self._snapshot.keep_nodes(body)

    def _tend_log(self) -> None:
        """Do what follows from the log for the node."""
        assert self.log is not None
        links, member = self.links.links(), self.log.member
        self._replica.trim([link.sender.acknowledged for link in links])
        self._replica.hold([link.sender for link in links], monotonic())
        if not self._mesh:
            self._replica.joined = self._replica.joined or member.ready.is_set()
            for each in self._shared:
                each.nodes = 1 + len(member.roster.present())

    def _handed_on(self) -> bool:
        """Return whether there are other nodes, and all of them have what this node's clients reported."""
        if self.log is None or (self._mesh and self.links.links()):
            return self.links.handed_on()
        return self.log.member.handed_on()

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
