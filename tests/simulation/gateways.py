# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The clients of a simulated world: gateways that report requests, and that may fall silent for a while or for good."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from loadstats.ledger import Phase
from tests.simulation.told import View
from tests.simulation.world import ORPHAN_SECONDS, TTL_SECONDS, SimNode, World

BEAT_SECONDS = 1.2
REFRESH_SECONDS = 6.0
# Longer than a heartbeat holds; with the time that news take, shorter than the grace on top of it.
SILENCE_SECONDS = TTL_SECONDS + ORPHAN_SECONDS - 5.0


@dataclass
class Gateway:
    """One that sends heartbeats to the node `home`, or to any while that can't be reached."""

    home: str
    silent_until: float = 0.0
    dead: bool = False


class Gateways:
    """Each call of a request goes to any node, in the request's own order of time, perhaps twice."""

    def __init__(self, world: World, *, silences: bool) -> None:
        self.world = world
        self.number = 0
        self.stopped = False
        self.silences = silences
        self.refreshing: set[str] = set()
        self.gateways = {f"g{number}": Gateway(world.random.choice(world.names)) for number in range(3)}
        for name in self.gateways:
            self._beat(name)

    def traffic(self, seconds: float, rate: float) -> None:
        random = self.world.random
        at = 0.0
        while at < seconds:
            at += random.expovariate(rate)
            self.world.at(at, self._request)
        for _ in range(2):
            self.world.at(random.uniform(0, seconds), self._drop)
            if self.silences:
                self.world.at(random.uniform(0, seconds), self._fall_silent)
        if random.random() < 0.5:
            self.world.at(random.uniform(0, seconds), self._die)

    def expected(self, *, aged: bool) -> dict[str, View]:
        """What is under way by all that was said. `aged`: all the rest is too old by now."""
        told = self.world.told
        views = {request_id: told.view(request_id) for request_id in told.adds if not told.over(request_id)}
        return {
            request_id: view
            for request_id, view in views.items()
            if not self._dead(view.owner) and (not aged or view.owner in self.gateways or request_id in self.refreshing)
        }

    def owners(self) -> list[str]:
        """What a request may name as its owner, beside what sends no heartbeats."""
        return list(self.gateways)

    def report_add(self, node: SimNode, request_id: str, cluster: str, engine: str, length: int, owner: str) -> None:
        """Tell a node of a request."""
        node.ledger.add(request_id, cluster, engine, length, node.now(), node.wall_ns(), owner)

    def report_beat(self, node: SimNode, name: str) -> None:
        """Tell a node that a gateway lives."""
        node.ledger.beat(name, TTL_SECONDS, node.now(), node.wall_ns())

    def _dead(self, owner: str) -> bool:
        return owner in self.gateways and self.gateways[owner].dead

    def _node(self, home: str = "") -> SimNode:
        up = [name for name in self.world.nodes if name not in self.world.paused]
        return self.world.nodes[home if home in up else self.world.random.choice(up)]

    # Gateways

    def _beat(self, name: str) -> None:
        gateway = self.gateways[name]
        if gateway.dead or self.stopped:
            return
        self.world.at(BEAT_SECONDS, lambda: self._beat(name))
        if self.world.now >= gateway.silent_until:
            self.report_beat(self._node(gateway.home), name)

    def _fall_silent(self) -> None:
        gateway = self.world.random.choice(list(self.gateways.values()))
        if gateway.silent_until + SILENCE_SECONDS < self.world.now:  # it has been heard everywhere since the last time
            gateway.silent_until = self.world.now + SILENCE_SECONDS

    def _die(self) -> None:
        self.world.random.choice(list(self.gateways.values())).dead = True

    def _drop(self) -> None:
        ledger, cluster, name = self._node().ledger, f"c{self.world.random.randrange(2)}", self._engine()
        engine = ledger.engine(cluster, name)
        if engine is not None:
            for record in ledger.records():
                if record.engine is engine and record.phase is not Phase.DONE and record.origin is not None:
                    self.world.told.dropped[record.request_id] = record.origin.name, record.seq
            ledger.drop(cluster, name)

    def _engine(self) -> str:
        return f"10.0.0.{self.world.random.randrange(3)}" + self.world.random.choice(["", ":80"])

    # Requests

    def _request(self) -> None:
        random = self.world.random
        self.number += 1
        request_id = f"r{self.number}"
        owner = random.choice(["", "", "by name", *self.owners()])
        cluster, engine, length = f"c{random.randrange(2)}", self._engine(), random.randrange(1000)

        def add(node: SimNode) -> None:
            where = engine if random.random() < 0.95 else self._engine()  # a gateway that failed over chose again
            self.report_add(node, request_id, cluster, where, length, owner)

        def tokens(node: SimNode) -> None:
            node.ledger.tokens(request_id, random.randrange(100), random.randrange(100), node.now(), node.wall_ns())

        self._say(owner, add)
        if random.random() < 0.3:
            self.refreshing.add(request_id)
            self._refresh(owner, request_id)
        for _ in range(random.choice([0, 0, 1, 3])):
            self._later(random.uniform(0, 8), owner, tokens)
        if random.random() < 0.8:
            first = random.uniform(0, 3)
            self._later(first, owner, lambda node: node.ledger.first_token(request_id, node.now(), node.wall_ns()))
            if random.random() < 0.8:
                last = first + random.uniform(0, 20)
                self._later(last, owner, lambda node: node.ledger.done(request_id, node.now(), node.wall_ns()))

    def _later(self, delay: float, owner: str, call: Callable[[SimNode], object]) -> None:
        self.world.at(delay, lambda: self._say(owner, call))

    def _say(self, owner: str, call: Callable[[SimNode], object]) -> None:
        if not self._dead(owner):
            call(self._node())
            if self.world.random.random() < 0.05:  # the gateway failed over: said again elsewhere
                self._later(0.1, owner, call)

    def _refresh(self, owner: str, request_id: str) -> None:
        """Now and then until the request ends. Where one node doesn't know it, the next may."""
        if self.stopped or self._dead(owner) or request_id in self.world.told.ended:
            return
        self.world.at(REFRESH_SECONDS, lambda: self._refresh(owner, request_id))
        nodes = [node for name, node in self.world.nodes.items() if name not in self.world.paused]
        self.world.random.shuffle(nodes)
        any(node.ledger.refresh(request_id, node.now(), node.wall_ns()) for node in nodes)
