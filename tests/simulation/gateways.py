# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The clients of a simulated world: gateways that report requests, and that may fall silent for a while or for good."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from random import Random

from loadstats.ledger import CandidateNames, EngineChoice, Phase
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
    """Each call of a request goes to any node, in the request's own order of time, perhaps twice.

    `retries`: seeds the further attempts of requests; None: there are none.
    """

    def __init__(self, world: World, *, silences: bool, retries: int | None = None) -> None:
        self.world = world
        self.retries = None if retries is None else Random(retries)
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
        return {
            request_id: view
            for request_id, view in told.views().items()
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
        up = [name for name in self.world.nodes if name not in self.world.paused | self.world.draining]
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
        engine = ledger.loads.engine(cluster, name)
        if engine is not None:
            for record in ledger.requests.records():
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

        if self.retries is not None:
            self._retry(self.retries, request_id, cluster, owner)

    def _retry(self, random: Random, request_id: str, cluster: str, owner: str) -> None:
        """Further attempts, with numbers or by picks that say none, and late calls about any of them."""
        at = 0.0
        for attempt in range(2, 2 + random.choice([0, 1, 1, 2, 3])):
            at += random.expovariate(0.5)
            if random.random() < 0.3:
                self._later(at, owner, partial(self._pick, random, request_id, cluster, owner))
                continue
            engine, length = f"10.0.0.{random.randrange(3)}", random.randrange(1000)
            input_tokens, delay = random.randrange(100), random.expovariate(0.5)

            def add(node: SimNode, attempt: int = attempt, engine: str = engine, length: int = length) -> None:
                now, wall_ns = node.now(), node.wall_ns()
                node.ledger.add(request_id, cluster, engine, length, now, wall_ns, owner, attempt=attempt)

            def tokens(node: SimNode, attempt: int = attempt, number: int = input_tokens) -> None:
                node.ledger.tokens(request_id, number, 1, node.now(), node.wall_ns(), attempt)

            def first_token(node: SimNode, attempt: int = attempt) -> None:
                node.ledger.first_token(request_id, node.now(), node.wall_ns(), attempt)

            def refresh(node: SimNode, attempt: int = attempt) -> None:
                node.ledger.refresh(request_id, node.now(), node.wall_ns(), attempt)

            def done(node: SimNode, attempt: int = attempt) -> None:
                node.ledger.done(request_id, node.now(), node.wall_ns(), attempt=attempt)

            self._later(at, owner, add)
            for call in (tokens, first_token, refresh, done):
                if random.random() < 0.6:
                    self._later(at + random.uniform(-0.5, 2) * delay if random.random() < 0.9 else 0.0, owner, call)

    def _pick(self, random: Random, request_id: str, cluster: str, owner: str, node: SimNode) -> None:
        if self._is_forgotten(request_id):
            return
        texts = random.sample([f"10.0.0.{number}" for number in range(4)], 2)
        place = random.randrange(2)
        node.ledger.reservations.reserve(
            request_id,
            cluster,
            CandidateNames(texts, texts),
            lambda view: EngineChoice(place, 0.0),
            7,
            node.now(),
            node.wall_ns(),
            owner,
        )

    def _is_forgotten(self, request_id: str) -> bool:
        """Whether it ended so long ago that no node remembers it, or not for long: a pick that says no attempt begins
        another request under its id."""
        if not self.world.told.has_ended(request_id):
            return False
        views = [node.ledger.requests.look(request_id, node.now()) for node in self.world.nodes.values()]
        return not any(view is not None and view.phase == "done" and view.remaining_seconds >= 2 for view in views)

    def _later(self, delay: float, owner: str, call: Callable[[SimNode], object]) -> None:
        self.world.at(max(0.0, delay), lambda: self._say(owner, call))

    def _say(self, owner: str, call: Callable[[SimNode], object]) -> None:
        if not self._dead(owner):
            call(self._node())
            if self.world.random.random() < 0.05:  # the gateway failed over: said again elsewhere
                self._later(0.1, owner, call)

    def _refresh(self, owner: str, request_id: str) -> None:
        """Now and then until the request ends. Where one node doesn't know it, the next may."""
        if self.stopped or self._dead(owner) or self.world.told.has_ended(request_id):
            return
        self.world.at(REFRESH_SECONDS, lambda: self._refresh(owner, request_id))
        nodes = [node for name, node in self.world.nodes.items() if name not in self.world.paused | self.world.draining]
        self.world.random.shuffle(nodes)
        any(node.ledger.refresh(request_id, node.now(), node.wall_ns()) for node in nodes)
