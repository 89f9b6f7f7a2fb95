# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""As much of a node as its pages need: the handlers behind a real edge, a ledger of their own, no threads, no ports."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from edge.audit import Audit, AuditLine
from edge.call import Call, Route, Table
from edge.caller import Scope
from edge.dispatcher import Dispatcher
from edge.envelope import TraceIds
from edge.errors import InvalidInput
from edge.quotas import Quotas
from kvcache.handlers import CacheHandlers
from kvcache.index import CacheIndex
from kvcache.part import KVCache
from loadstats.batch import BatchHandlers
from loadstats.engines import EngineHandlers
from loadstats.handlers import LoadHandlers
from loadstats.history import History
from loadstats.history.handlers import HistoryHandlers
from loadstats.inspection import InspectionHandlers
from loadstats.keepalive import KeepAliveHandlers
from loadstats.ledger import Ledger
from loadstats.owners import OwnerHandlers
from loadstats.part import LoadStats
from loadstats.pick.handlers import PickHandlers
from loadstats.pick.options import PickOptions
from loadstats.query import QueryHandlers
from loadstats.shared_census import SharedCensus
from loadstats.waits import Waits
from metadata_center import __version__
from metadata_center.clients import ClientHandlers
from metadata_center.log_level import LogHandlers
from metadata_center.notices.handlers import NoticeHandlers
from metadata_center.status import StatusHandlers
from replication import paths
from replication.part import Replication
from runtime.config.schema import Config, HttpSettings, QuotasSettings
from runtime.health import Health, PartState
from runtime.identity import Identity
from runtime.logs import Logs
from runtime.logs.levels import UnknownLevel
from runtime.notices.log import NoticeLog
from runtime.periodic import EmbeddedCelery, PeriodicTask, TaskRun
from runtime.profiling import ProfilingServer
from runtime.running import publish

WALL_NS = 1_800_000_000_000_000_000


class FakeLogs:
    """Takes the levels that real ones take."""

    def __init__(self) -> None:
        self.level = "WARN"

    def set_level(self, name: str) -> None:
        if name not in {"TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"}:
            raise UnknownLevel(f"LevelParam: got {name}")
        self.level = name


class FakeAccess:
    """Keeps the lines."""

    enabled = True

    def __init__(self) -> None:
        self.lines: list[tuple[str, str, str, str, int]] = []
        self.refusals: list[tuple[str, str]] = []  # client and reason of each line

    def record(
        self,
        wall_ns: int,
        trace_id: str,
        request_id: str,
        method: str,
        route: str,
        status: int,
        duration_ns: int,
        client: str = "",
        reason: str = "",
    ) -> None:
        assert wall_ns > 0
        assert duration_ns >= 0
        self.lines.append((trace_id, request_id, method, route, status))
        self.refusals.append((client, reason))


class FakeTrail:
    """Keeps the audit trail's lines."""

    def __init__(self) -> None:
        self.lines: list[AuditLine] = []

    def put(self, line: AuditLine) -> None:
        self.lines.append(line)

    def acts(self) -> list[tuple[str, str, str]]:
        """Act, outcome and who of each line."""
        return [(line.act, line.outcome, line.who) for line in self.lines]


class FakeReplica:
    """Takes the events of the original's kind, and remembers who sent them."""

    def __init__(self, load: LoadHandlers) -> None:
        self._takers = {
            b"load.stats.set": load.add,
            b"load.stats.delete": load.done,
            b"load.prompt.delete": load.first_token,
        }
        self.clients: list[str] = []

    def routes(self) -> tuple[Route, ...]:
        return (
            Route("POST", paths.EVENT, self.event, scope=Scope.REPLICATE),
            Route("POST", paths.PUSH, lambda call: b"packed", internal=True, scope=Scope.REPLICATE),
            Route("GET", paths.PEERS, lambda call: b'{"peers":[]}', scope=Scope.READ),
        )

    def event(self, call: Call) -> bytes:
        """`POST /v1/replica/event`: one event."""
        self.clients.append(call.client)
        taker = self._takers.get(call.headers.get(b"event-type", b""))
        if taker is None:
            raise InvalidInput("Event-Type: expected a header")
        return taker(call)


class FakeCelery:
    """One task that ran twice and failed once; remembers what was asked for."""

    periodic = (PeriodicTask("expire", "loadstats.expire", 60.0),)

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.last_runs = {"loadstats.expire": TaskRun(2, 1, 0, 1_800_000_000.0, 0.25, "ValueError: no", None)}

    def run_now(self, item: PeriodicTask) -> None:
        self.asked.append(item.task)


class FakeReplication:
    """One peer; remembers whom everything was to be pulled from."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.handlers = self.links = self

    def report(self) -> dict[str, Any]:
        peer = {"peer": "10.0.0.2:8080", "state": "lost", "since_seconds": 61.5, "origin": "10.0.0.2:8080@1"}
        numbers = {"acknowledged": 5, "lag_events": 1234, "lag_seconds": 0.5, "sent_events": 5, "lost_events": 0}
        rest = {"joined": True, "pulling_buckets": 0, "last_error": "connection refused"}
        vector = {"10.0.0.1:8080@1": 1239}
        return {"origin": "10.0.0.1:8080@1", "joined": True, "vector": vector, "peers": [{**peer, **numbers, **rest}]}

    def resync(self, name: str) -> bool:
        self.asked.append(name)
        return name == "10.0.0.2:8080"


@dataclass
class FakeProfiling:
    url: str = "http://127.0.0.1:8081/debug/pprof/"


class PartialNode:
    """Stands in for `metadata_center.node.Node`."""

    name = "10.0.0.1:8080"

    def __init__(self) -> None:
        self.config = Config(http=HttpSettings(max_body_bytes=4096))
        self.health = Health(lambda: 1_800_000_000.0)
        self.health.add("worker", False, lambda: (PartState.OK, ""))
        self.ledger = Ledger()
        self.history = History(lambda: 0.0, lambda: WALL_NS)
        self.kvcache = CacheIndex()
        self.logs = FakeLogs()
        self.access = FakeAccess()
        self.profiling: Any = FakeProfiling()
        self.celery = FakeCelery()
        self.peers = FakeReplication()
        clocks: Any = {"now": lambda: 0.0, "wall_ns": lambda: WALL_NS}
        load = LoadHandlers(self.ledger, **clocks)
        self.replica = FakeReplica(load)
        self.inspection = self.ledger.requests
        look = InspectionHandlers(self.inspection, self.name, now=lambda: 0.0)
        self.notices = NoticeLog(f"{self.name}@1", self.name, lambda: 0.0)
        self.census = SharedCensus(self.ledger.censuses, now=lambda: 0.0)
        logs: Any = self.logs
        keepalive = KeepAliveHandlers(self.ledger, now=lambda: 0.0, wall_ns=lambda: WALL_NS)
        handlers = (
            load,
            QueryHandlers(self.ledger.loads, Waits(self.ledger.loads.tag, most=10)),
            BatchHandlers(self.ledger, **clocks),
            EngineHandlers(self.ledger, **clocks),
            HistoryHandlers(self.history),
            PickHandlers(self.ledger, PickOptions(), lambda: 0.0, **clocks),
            keepalive,
            look,
            OwnerHandlers(self.ledger, self.census, self.name, **clocks),
            CacheHandlers(self.kvcache, now=lambda: 0.0, wall_ns=lambda: WALL_NS),
            self.replica,
            LogHandlers(logs),
            StatusHandlers(self.health),
            ClientHandlers(Quotas(QuotasSettings())),
            NoticeHandlers(self.notices, now=lambda: 0.0, wall_ns=lambda: WALL_NS),
        )
        table = Table(route for part in handlers for route in part.routes())
        self.trail = FakeTrail()
        self.audit = Audit(self.trail, clock=lambda: 1_800_000_000.0)
        self.dispatcher = Dispatcher(table, TraceIds(1), self.access, audit=self.audit)

    def published(self) -> dict[type, Any]:
        """What `runtime.running.part` finds, by class."""
        found = {
            Config: self.config,
            Identity: Identity(self.name, __version__),
            Health: self.health,
            Logs: self.logs,
            EmbeddedCelery: self.celery,
            Dispatcher: self.dispatcher,
            Audit: self.audit,
            LoadStats: self,
            KVCache: SimpleNamespace(index=self.kvcache),
            Replication: self.peers,
            ProfilingServer: self.profiling,
        }
        return {kind: each for kind, each in found.items() if each is not None}

    def add(self, request_id: str, cluster: str = "c", ip: str = "10.0.0.1", prompt_length: int = 0) -> None:
        """A request in flight, told of now."""
        self.ledger.add(request_id, cluster, ip, prompt_length, 0.0, WALL_NS)


@contextmanager
def in_place(node: PartialNode) -> Iterator[PartialNode]:
    """Make it the node that Django's own code finds."""
    with publish(node.published()):
        yield node
