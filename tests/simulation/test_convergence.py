# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""After any mix of faults, once traffic stops, all nodes are equal to each other and to what the clients said."""

from __future__ import annotations

import pytest

from tests.audit import audit, nothing_left
from tests.simulation import HISTORIES
from tests.simulation.caches import CLUSTER, Caches
from tests.simulation.gateways import REFRESH_SECONDS, Gateways
from tests.simulation.restarts import RestartingGateways
from tests.simulation.told import View
from tests.simulation.world import Faults, World

# Seeds that failed once, before the rule that they broke was right.
REGRESSIONS = [147, 34, 39, 21, 1054, 1081, 1110, 1420, 1883, 2657, 3257]
AGEING_REGRESSIONS = [1746, 1785]
CACHING_REGRESSIONS = [1001, 1117, 1383]
CRASHING_CACHES_REGRESSIONS = [1383]


def seeds(chunk: int) -> range:
    """Return those of the slow run's chunk."""
    return range(1000 + chunk * HISTORIES, 1000 + (chunk + 1) * HISTORIES)


def settle(world: World, seconds: float = 40) -> None:
    world.faults = Faults()
    world.cut.clear()
    world.paused.clear()
    for name in world.names:
        if name not in world.nodes:
            world.start(name)
    world.run(seconds)


def check(world: World, gateways: Gateways, *, exact: bool = True, aged: bool = False, refreshes: bool = True) -> None:
    """All nodes are equal, and to what clients said where the history is `exact`; without `refreshes` but for those."""
    gateways.stopped = True
    world.run(2)  # no heartbeat has lapsed yet
    views = list(world.views().values())
    assert all(view == views[0] for view in views), [set(view.items()) ^ set(views[0].items()) for view in views]
    rows = list(world.rows().values())
    assert all(row == rows[0] for row in rows), rows
    beats = [
        {name: stamp for name, (stamp, seconds) in node.ledger.replica.owners(node.now()).items() if seconds > 0}
        for node in world.nodes.values()
    ]
    assert all(beat == beats[0] for beat in beats), beats
    standing = [
        {owner.name: owner.present.rank for owner in node.ledger.requests.owners() if owner.present is not None}
        for node in world.nodes.values()
    ]
    assert all(each == standing[0] for each in standing), standing
    for node in world.nodes.values():
        assert node.replica.joined
        assert not node.replica.gaps
        assert [sender.lag_events for sender in node.senders.values()] == [0] * len(node.senders)
        assert node.ledger.replica.digests() == next(iter(world.nodes.values())).ledger.replica.digests()
        audit(node.ledger)
    found, expected = views[0], gateways.expected(aged=aged)
    if not refreshes:
        found, expected = _without_refreshes(found), _without_refreshes(expected)
    if exact:
        assert found == expected, {
            each: (found.get(each), expected.get(each))
            for each in found.keys() | expected.keys()
            if found.get(each) != expected.get(each)
        }


def _without_refreshes(views: dict[str, View]) -> dict[str, View]:
    return {request_id: view._replace(refreshed_ms=0) for request_id, view in views.items()}


def weather(world: World, seconds: float, *, crashes: bool, pauses: bool, longest: float = 20) -> None:
    """Faults come and go for a while, each for `longest` seconds at most."""
    random = world.random
    end = world.now + seconds
    while world.now < end:
        world.faults = Faults(
            loss=random.choice([0, 0.05, 0.5]),
            duplicate=random.choice([0, 0.3]),
            longest=random.choice([0.005, 0.05, 0.8]),
        )
        world.cut = {frozenset((a, b)) for a in world.names for b in world.names if a < b and random.random() < 0.3}
        world.paused = {name for name in world.names[1:] if pauses and random.random() < 0.15}
        if crashes and len(world.nodes) == len(world.names) and random.random() < 0.4:
            name = random.choice(world.names)
            world.crash(name)
            world.paused.discard(name)
            world.at(random.uniform(0.2, 10), lambda name=name: name in world.nodes or world.start(name))
        if not set(world.nodes) - world.paused:
            world.paused.clear()
        world.run(min(random.choice([0.5, 3, 8, 20]), longest))
        audit(random.choice(list(world.nodes.values())).ledger)


def history(seed: int, *, crashes: bool) -> None:
    """Faults of any length. A gateway that falls silent meets no node that stands still: it might be released there."""
    world = World(seed, nodes=2 + seed % 3, capacity=64 if seed % 2 else 4096)
    world.run(2)
    silences = seed % 4 == 0
    gateways = Gateways(world, silences=silences)
    gateways.traffic(40, rate=4.0)
    weather(world, 60, crashes=crashes, pauses=not silences)
    settle(world)
    check(world, gateways, exact=not crashes)


def restarting_history(seed: int, *, crashes: bool, zombies: bool) -> int:
    """Gateways that start anew under faults of any length. How many incarnations gave way to others.

    Where clocks agree and no replaced process goes on, no node ever takes a former life for the latest, so what is left
    is exactly what the latest lives said. Else all nodes are equal.
    """
    exact = not crashes and not zombies
    world = World(seed, nodes=2 + seed % 3, capacity=64 if seed % 2 else 4096, skewed=not exact)
    world.run(2)
    gateways = RestartingGateways(world, zombies=zombies)
    gateways.traffic(40, rate=4.0)
    weather(world, 60, crashes=crashes, pauses=True)
    settle(world)
    check(world, gateways, exact=exact)
    left = {view.owner: view.incarnation for view in next(iter(world.views().values())).values() if view.incarnation}
    for node in world.nodes.values():
        for owner in node.ledger.requests.owners():
            assert owner.present is None or left.get(owner.name, owner.present.name) == owner.present.name
    return sum(node.ledger.counts().superseded for node in world.nodes.values())


def ageing_history(seed: int, *, long: bool = False) -> None:
    """Requests that grow too old. Where all nodes hear of a refresh before a request would expire, what is refreshed or
    owned lives on and the rest goes: so each fault is short, and each pause between them longer than between two
    refreshes. In longer ones than a request may live, all nodes are equal. In the end all goes."""
    world = World(seed, nodes=2 + seed % 3, capacity=64 if seed % 2 else 4096, request_seconds=40.0)
    world.run(2)
    gateways = Gateways(world, silences=False)
    gateways.traffic(40, rate=2.0)
    if long:
        weather(world, 100, crashes=True, pauses=True)
    for _ in range(0 if long else 4):
        weather(world, 8, crashes=False, pauses=True, longest=4)
        settle(world, REFRESH_SECONDS + 1)
    settle(world, 60)
    check(world, gateways, aged=True, exact=not long)
    world.run(150)
    for node in world.nodes.values():
        nothing_left(node.ledger)


def retrying_history(seed: int, *, crashes: bool) -> int:
    """Requests that are tried again, on other nodes and engines. How many live on in a later attempt."""
    world = World(seed, nodes=2 + seed % 3, capacity=64 if seed % 2 else 4096)
    world.run(2)
    gateways = Gateways(world, silences=False, retries=seed)
    gateways.traffic(40, rate=4.0)
    weather(world, 60, crashes=crashes, pauses=True)
    settle(world)
    check(world, gateways, exact=not crashes)
    return sum(view.attempt > 1 for view in next(iter(world.views().values())).values())


def caching_history(seed: int) -> int:
    """Saves and losses of caches beside the requests; how many engines hold something in the end. There are no crashes,
    for with a node goes what it told nobody."""
    world = World(seed, nodes=2 + seed % 3, capacity=64 if seed % 2 else 4096, caches=True)
    world.run(2)
    gateways, caches = Gateways(world, silences=False), Caches(world, seed)
    gateways.traffic(20, rate=4.0)
    caches.traffic(40, 120)
    weather(world, 50, crashes=False, pauses=True)
    settle(world)
    check(world, gateways)
    expected = caches.expected()
    for node in world.nodes.values():
        assert caches.held(node) == expected
    return len(expected)


def crashing_caches_history(seed: int) -> int:
    """Saves, and nodes that crash: what a node was told that lives is known to all. How much that was."""
    world = World(seed, nodes=3 + seed % 2, capacity=64 if seed % 2 else 4096, caches=True)
    world.run(2)
    gateways, caches = Gateways(world, silences=False), Caches(world, seed, crashes=True)
    gateways.traffic(20, rate=4.0)
    caches.traffic(60, 120)
    weather(world, 60, crashes=True, pauses=True)
    settle(world)
    survived = caches.survived()
    for node in world.nodes.values():
        held = caches.held(node)
        assert not {(engine, block) for engine, block in survived if block not in held.get((CLUSTER, engine), ())}
    return len(survived)


@pytest.mark.parametrize("seed", REGRESSIONS)
def test_nodes_converge_where_they_once_did_not(seed: int) -> None:
    history(seed, crashes=False)


@pytest.mark.parametrize("seed", AGEING_REGRESSIONS)
def test_requests_stayed_alive_where_they_once_did_not(seed: int) -> None:
    ageing_history(seed)


@pytest.mark.parametrize("seed", CACHING_REGRESSIONS)
def test_caches_converge_where_they_once_did_not(seed: int) -> None:
    caching_history(seed)


@pytest.mark.parametrize("crashes", [False, True])
@pytest.mark.parametrize("chunk", range(2))
def test_nodes_converge(chunk: int, *, crashes: bool) -> None:
    for seed in range(chunk * 2, chunk * 2 + 2):
        history(seed, crashes=crashes)


@pytest.mark.parametrize(("crashes", "zombies"), [(False, False), (False, True), (True, True)])
@pytest.mark.parametrize("seed", range(2))
def test_nodes_agree_on_which_life_of_a_gateway_stands(seed: int, *, crashes: bool, zombies: bool) -> None:
    assert restarting_history(seed, crashes=crashes, zombies=zombies)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("crashes", "zombies"), [(False, False), (False, True), (True, True)])
@pytest.mark.parametrize("chunk", range(2))
def test_nodes_agree_on_lives_over_hundreds_of_histories(chunk: int, *, crashes: bool, zombies: bool) -> None:
    for seed in seeds(chunk):
        assert restarting_history(seed, crashes=crashes, zombies=zombies)


@pytest.mark.parametrize("seed", range(1, 3))
def test_nodes_converge_while_requests_grow_old(seed: int) -> None:
    ageing_history(seed, long=seed % 3 == 2)


@pytest.mark.parametrize("crashes", [False, True])
@pytest.mark.parametrize("chunk", range(1))
def test_nodes_converge_where_requests_are_tried_again(chunk: int, *, crashes: bool) -> None:
    assert sum(retrying_history(seed, crashes=crashes) for seed in range(chunk * 3, chunk * 3 + 3))


@pytest.mark.parametrize("chunk", range(1))
def test_caches_converge(chunk: int) -> None:
    assert sum(caching_history(seed) for seed in range(chunk * 3, chunk * 3 + 3))


@pytest.mark.parametrize("seed", [*range(2), *CRASHING_CACHES_REGRESSIONS])
def test_what_nodes_know_of_caches_outlives_others(seed: int) -> None:
    assert crashing_caches_history(seed)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("crashes", [False, True])
@pytest.mark.parametrize("chunk", range(5))
def test_caches_converge_over_hundreds_of_histories(chunk: int, *, crashes: bool) -> None:
    history = crashing_caches_history if crashes else caching_history
    assert sum(history(seed) for seed in seeds(chunk))


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("crashes", [False, True])
@pytest.mark.parametrize("chunk", range(5))
def test_nodes_converge_where_requests_are_tried_again_over_hundreds_of_histories(chunk: int, *, crashes: bool) -> None:
    assert sum(retrying_history(seed, crashes=crashes) for seed in seeds(chunk))


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("crashes", [False, True])
@pytest.mark.parametrize("chunk", range(10))
def test_nodes_converge_over_hundreds_of_histories(chunk: int, *, crashes: bool) -> None:
    for seed in seeds(chunk):
        history(seed, crashes=crashes)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("chunk", range(10))
def test_nodes_converge_while_requests_grow_old_over_hundreds_of_histories(chunk: int) -> None:
    for seed in seeds(chunk):
        ageing_history(seed, long=seed % 3 == 2)
