# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""After any mix of faults, once traffic stops, all nodes are equal to each other and to what the clients said."""

from __future__ import annotations

import pytest

from tests.simulation.world import Faults, World

# Seeds that failed once, before the rule that they broke was right: each pulls, forgets and hears late in a bad order.
REGRESSIONS = [147, 34, 39, 21]


class Clients:
    """Gateways: each call of a request goes to any node, in the request's own order of time, perhaps twice."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.number = 0
        self.added: dict[str, tuple[str, str, int]] = {}
        self.decoding: set[str] = set()
        self.ended: set[str] = set()

    def call(self, what: str, request_id: str) -> None:
        world = self.world
        up = [name for name in world.nodes if name not in world.paused]
        node = world.nodes[world.random.choice(up)]
        now = node.now()
        if what == "add":
            cluster, ip, length = self.added[request_id]
            node.ledger.add(request_id, cluster, ip, length, now, 1)
        elif what == "first":
            node.ledger.first_token(request_id, now, 1)
            self.decoding.add(request_id)
        else:
            node.ledger.done(request_id, now, 1)
            self.ended.add(request_id)
        if world.random.random() < 0.05:  # the gateway failed over: said again elsewhere
            self.world.at(0.1, lambda: self.again(what, request_id))

    def again(self, what: str, request_id: str) -> None:
        up = [name for name in self.world.nodes if name not in self.world.paused]
        node = self.world.nodes[self.world.random.choice(up)]
        if what == "add":
            cluster, ip, length = self.added[request_id]
            node.ledger.add(request_id, cluster, ip, length, node.now(), 1)
        elif what == "first":
            node.ledger.first_token(request_id, node.now(), 1)
        else:
            node.ledger.done(request_id, node.now(), 1)

    def request(self) -> None:
        random = self.world.random
        self.number += 1
        request_id = f"r{self.number}"
        self.added[request_id] = (f"c{random.randrange(2)}", f"10.0.0.{random.randrange(4)}", random.randrange(1000))
        self.call("add", request_id)
        if random.random() < 0.8:
            first = random.uniform(0, 3)
            self.world.at(first, lambda: self.call("first", request_id))
            if random.random() < 0.8:
                self.world.at(first + random.uniform(0, 20), lambda: self.call("done", request_id))

    def traffic(self, seconds: float, rate: float) -> None:
        at = 0.0
        while at < seconds:
            at += self.world.random.expovariate(rate)
            self.world.at(at, self.request)

    def expected(self) -> dict[str, tuple[str, str, int, int]]:
        return {
            request_id: (*engine[:2], int(request_id in self.decoding), engine[2])
            for request_id, engine in self.added.items()
            if request_id not in self.ended
        }


def settle(world: World) -> None:
    world.faults = Faults()
    world.cut.clear()
    world.paused.clear()
    for name in world.names:
        if name not in world.nodes:
            world.start(name)
    world.run(40)


def check(world: World, clients: Clients, *, exact: bool = True) -> None:
    views = list(world.views().values())
    assert all(view == views[0] for view in views), [set(view.items()) ^ set(views[0].items()) for view in views]
    for node in world.nodes.values():
        assert node.replica.joined
        assert not node.replica.gaps
        assert [sender.lag_events for sender in node.senders.values()] == [0] * len(node.senders)
        assert node.ledger.digests() == next(iter(world.nodes.values())).ledger.digests()
    expected = clients.expected()
    if exact:
        assert views[0] == expected, {k: (views[0].get(k), expected.get(k)) for k in set(views[0]) ^ set(expected)}


def weather(world: World, seconds: float, *, crashes: bool) -> None:
    """Faults come and go for a while."""
    random = world.random
    end = world.now + seconds
    while world.now < end:
        world.faults = Faults(
            loss=random.choice([0, 0.05, 0.5]),
            duplicate=random.choice([0, 0.3]),
            longest=random.choice([0.005, 0.05, 0.8]),
        )
        world.cut = {frozenset((a, b)) for a in world.names for b in world.names if a < b and random.random() < 0.3}
        world.paused = {name for name in world.names[1:] if random.random() < 0.15}
        if crashes and len(world.nodes) == len(world.names) and random.random() < 0.4:
            name = random.choice(world.names)
            world.crash(name)
            world.paused.discard(name)
            world.at(random.uniform(0.2, 10), lambda name=name: name in world.nodes or world.start(name))
        if not set(world.nodes) - world.paused:
            world.paused.clear()
        world.run(random.choice([0.5, 3, 8, 20]))


def history(seed: int, *, crashes: bool, nodes: int = 3) -> None:
    world = World(seed, nodes=nodes, capacity=64 if seed % 2 else 4096)
    world.run(2)
    clients = Clients(world)
    clients.traffic(40, rate=4.0)
    weather(world, 60, crashes=crashes)
    settle(world)
    check(world, clients, exact=not crashes)


@pytest.mark.parametrize("seed", REGRESSIONS)
def test_nodes_converge_where_they_once_did_not(seed: int) -> None:
    history(seed, crashes=False, nodes=2 + seed % 3)


@pytest.mark.parametrize("crashes", [False, True])
@pytest.mark.parametrize("chunk", range(10))
def test_nodes_converge(chunk: int, *, crashes: bool) -> None:
    for seed in range(chunk * 10, chunk * 10 + 10):
        history(seed, crashes=crashes, nodes=2 + seed % 3)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("crashes", [False, True])
@pytest.mark.parametrize("chunk", range(10))
def test_nodes_converge_over_thousands_of_histories(chunk: int, *, crashes: bool) -> None:
    for seed in range(1000 + chunk * 100, 1100 + chunk * 100):
        history(seed, crashes=crashes, nodes=2 + seed % 3)
