# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Gathers the facts of the attention strip, and the overview's order. Runs on Django's threads.

The node has one `Watch`. Its facts are shared by all pages that ask within about a second. A lock keeps two threads
from gathering at once. The ledger is read in slices, and other threads get their turn between two of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from threading import Lock
from time import monotonic, sleep, time_ns

from msgspec import Struct

from console.addresses import cluster_address
from console.attention import CLIENTS, COLD_SECONDS, Cap, ClusterFacts, Facts, PastCold
from console.calls import ask
from console.events import EventsView, ShownEvent
from console.gateway_look import GatewayLook
from console.nodes import PeersView
from console.request_view import LONG_PREFILL_SECONDS
from edge.errors import NotFound
from loadstats.ledger import Cursor, Engine, Filter, LedgerCounts
from loadstats.part import LoadStats
from loadstats.stale import stale_seconds
from runtime.config import Config
from runtime.health import Health
from runtime.notices.kind import Kind
from runtime.running import made_once, part

KEPT_SECONDS = 1.0
"""Facts are not gathered again for so long. People read no faster."""

KEPT_FACTOR = 20
"""Facts are kept for this many times as long as it took to gather them, so that it takes 5 % of a core at most. With
100,000 engines it takes about 0.1 s."""

MOST_LOOKED = 20_000
"""Requests looked at for long prefills each time: about 20 ms, 0.1 s if half of them are. A ledger of more is walked on
the next time."""

MOST_MET = 10_000
"""Long prefills met in one look."""

MOST_COLDS = 20
"""Cold starts that are looked at, the last ones first."""

SLICE = 2048
"""Engines read in one go: about 0.3 ms."""

CLUSTERS = "/console/clusters/"


class ClientLoad(Struct, frozen=True):
    """What one client takes; members as in `GET /v1/node/clients`."""

    connections: int = 0
    waits: int = 0
    sockets: int = 0
    pages: int = 0
    refused_calls: int = 0


class LongPrefills:
    """Counts requests that are before their first token for too long. A large ledger is walked in several looks."""

    def __init__(self) -> None:
        self._cursor = Cursor()
        self._met = 0
        self._count = 0

    def count(self) -> int:
        """Walk on, and return the number of the last whole walk."""
        filter_ = Filter(phases=frozenset({"prefill"}), least_age_seconds=LONG_PREFILL_SECONDS)
        page = part(LoadStats).ledger.requests.page(
            filter_, self._cursor, monotonic(), most=MOST_MET, most_looked=MOST_LOOKED, pause=lambda: sleep(0)
        )
        self._met += len(page.views)
        if page.next is None:
            self._count, self._met, self._cursor = self._met, 0, Cursor()
        else:
            self._count = max(self._count, self._met)
            self._cursor = page.next
        return self._count


class Watch:
    """Keeps the facts of one node for about a second."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._prefills = LongPrefills()
        self._gateways = GatewayLook()
        self._facts = Facts()
        self._until = 0.0  # monotonic

    def facts(self) -> Facts:
        """Return facts that are about a second old at most."""
        with self._lock:
            begun = monotonic()
            if begun >= self._until:
                self._facts = _gather(self._prefills, self._gateways)
                ended = monotonic()
                self._until = ended + max(KEPT_SECONDS, KEPT_FACTOR * (ended - begun))
            return self._facts


def facts() -> Facts:
    """Return the facts of the running node."""
    return made_once("console.attention", Watch).facts()


def cluster_facts(name: str, engines: Sequence[Engine], silent_before_ns: int) -> ClusterFacts:
    """Add up a cluster. An engine is stale if it holds requests and last changed before a wall-clock time."""
    requests = most = stale_engines = stale_requests = orphaned_engines = orphaned_requests = 0
    hottest = ""
    for start in range(0, len(engines), SLICE):
        if start:
            sleep(0)
        for engine in engines[start : start + SLICE]:
            held = engine.queued_req_num
            if not held:
                continue
            requests += held
            if held > most:
                most, hottest = held, engine.name
            if engine.updated_ns < silent_before_ns:
                stale_engines += 1
                stale_requests += held
            if orphaned := engine.orphaned_req_num:
                orphaned_engines += 1
                orphaned_requests += orphaned
    return ClusterFacts(
        name,
        cluster_address(name),
        len(engines),
        requests,
        hottest,
        most,
        stale_engines,
        stale_requests,
        orphaned_engines,
        orphaned_requests,
    )


def _gather(prefills: LongPrefills, gateways: GatewayLook) -> Facts:
    config = part(Config)
    stale = stale_seconds(part(Config).load.request_expire_seconds)
    clients = _clients()
    return Facts(
        clusters=_clusters(time_ns() - int(stale * 1e9)),
        gateways=gateways.facts(),
        colds=_colds(time_ns()),
        long_prefills=prefills.count(),
        peers=ask("/v1/replica/peers", PeersView),
        parts=tuple(part(Health).report()["parts"]),
        caps=(*_node_caps(config, part(LoadStats).ledger.counts()), *_client_caps(config, clients)),
        refused_calls=sum(client.refused_calls for client in clients),
        stale_seconds=stale,
        orphan_seconds=config.load.orphan_grace_seconds,
        expire_seconds=config.load.request_expire_seconds,
    )


def _clusters(silent_before_ns: int) -> tuple[ClusterFacts, ...]:
    loads = part(LoadStats).ledger.loads
    found = []
    for name in loads.clusters():
        steps = loads.cluster_snapshot(name, None, encoded=False)
        while True:
            try:
                next(steps)
            except StopIteration as end:
                seen = end.value
                break
            sleep(0)
        if seen is not None:
            found.append(cluster_facts(name, seen.order, silent_before_ns))
    return tuple(found)


def _colds(wall_ns: int) -> tuple[PastCold, ...]:
    """Return the cold starts of the last hour, the last one first."""
    ends: dict[str, int] = {}
    for each in _events_of(Kind.COLD_ENDED):
        ends.setdefault(each.node, each.time_ns)
    return tuple(
        PastCold(each.node, max(0.0, (wall_ns - each.time_ns) / 1e9), ends.get(each.node, 0) >= each.time_ns)
        for each in _events_of(Kind.COLD_STARTED)
    )


def _events_of(kind: Kind) -> tuple[ShownEvent, ...]:
    """Return the events of a kind in the last hour, the last one first."""
    return ask("/v1/events", EventsView, kind=kind.value, age=str(COLD_SECONDS), limit=str(MOST_COLDS)).events


def _node_caps(config: Config, counts: LedgerCounts) -> tuple[Cap, ...]:
    records = counts.in_flight + counts.tombstones + counts.stubs
    load = config.load
    return (
        Cap("requests", records, load.max_requests, "[Load] MaxRequests", "/admin/loadstats/request/"),
        Cap("engines", counts.engines, load.max_engines, "[Load] MaxEngines", "/admin/loadstats/engine/"),
        Cap("gateways", counts.owners, load.max_owners, "[Load] MaxOwners", "/console/gateways/"),
    )


def _client_caps(config: Config, clients: Sequence[ClientLoad]) -> tuple[Cap, ...]:
    """Return what the largest client holds of what one client may. Its name is for operators alone: see `CLIENTS`."""
    quotas = config.quotas
    kinds = (
        ("connections", quotas.connections),
        ("waits", quotas.waits),
        ("sockets", quotas.sockets),
        ("pages", quotas.pages),
    )
    return tuple(
        Cap(
            f"{kind} of one client",
            max(map(attrgetter(kind), clients), default=0),
            most,
            f"[Quotas] {kind.capitalize()}",
            CLIENTS,
        )
        for kind, most in kinds
    )


def _clients() -> list[ClientLoad]:
    try:
        return ask(CLIENTS, list[ClientLoad])
    except NotFound:  # a node without quotas
        return []
