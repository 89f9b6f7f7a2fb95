# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Nodes that come back with their snapshot and tail: nothing is counted twice, nothing that was written is lost.

But for one thing: a refresh that a node took and had not pushed, of a request that it had from a peer since its last
snapshot. Its tail has the refresh, and nothing that could be refreshed. So only a node that is alone keeps them all.
"""

from __future__ import annotations

import pytest

from tests.simulation import HISTORIES
from tests.simulation.caches import Caches
from tests.simulation.gateways import Gateways
from tests.simulation.restarts import RestartingGateways
from tests.simulation.test_convergence import check, seeds, settle, weather
from tests.simulation.world import World

# Seeds that failed once: what was not pushed before a crash met peers that had forgotten an end.
# 1066: a pull went on with the next life of its peer. 1038: the journal dropped what the tail had not written yet.
CRASHING_REGRESSIONS = [1066]
RETRYING_REGRESSIONS = [1002, 1008, 1026]
CACHING_REGRESSIONS = [1008]
POWER_CUT_REGRESSIONS = [1000, 1038]


def came_back(world: World) -> int:
    """How often a node went on from what it had left."""
    return sum(disk.restorations for disk in world.disks.values())


def crashing_history(seed: int, *, lossless: bool) -> int:
    """Nodes that crash and come back with what is on their disks. The end of a tail may be torn off, and a disk be full
    for a while. Where nothing is lost, what is left is what clients said."""
    world = World(seed, nodes=2 + seed % 3, capacity=64 if seed % 2 else 4096, disks=True, lossless=lossless)
    world.run(2)
    gateways = Gateways(world, silences=False)
    gateways.traffic(40, rate=4.0)
    if not lossless:
        for at in (10.0, 20.0):
            disk = world.random.choice(list(world.disks.values()))
            world.at(at, lambda disk=disk: setattr(disk, "full", True))
            world.at(at + world.random.uniform(0, 8), lambda disk=disk: setattr(disk, "full", False))
    weather(world, 60, crashes=True, pauses=True)
    for disk in world.disks.values():
        disk.full = False
    settle(world)
    check(world, gateways, exact=lossless, refreshes=False)
    return came_back(world)


def retrying_history(seed: int) -> int:
    """Requests that are tried again, and nodes that come back with all that they took."""
    world = World(seed, nodes=2 + seed % 3, capacity=64 if seed % 2 else 4096, disks=True, lossless=True)
    world.run(2)
    gateways = Gateways(world, silences=False, retries=seed)
    gateways.traffic(40, rate=4.0)
    weather(world, 60, crashes=True, pauses=True)
    settle(world)
    check(world, gateways, refreshes=False)
    return came_back(world)


def restarting_history(seed: int) -> int:
    """Gateways and nodes that start anew."""
    world = World(seed, nodes=2 + seed % 3, capacity=64 if seed % 2 else 4096, skewed=False, disks=True, lossless=True)
    world.run(2)
    gateways = RestartingGateways(world, zombies=False)
    gateways.traffic(40, rate=4.0)
    weather(world, 60, crashes=True, pauses=True)
    settle(world)
    check(world, gateways, refreshes=False)
    return came_back(world)


def caching_history(seed: int) -> int:
    """Saves and losses of caches, at nodes that come back with all that they took."""
    world = World(seed, nodes=2 + seed % 3, capacity=64 if seed % 2 else 4096, caches=True, disks=True, lossless=True)
    world.run(2)
    gateways, caches = Gateways(world, silences=False), Caches(world, seed)
    gateways.traffic(20, rate=4.0)
    caches.traffic(40, 120)
    weather(world, 50, crashes=True, pauses=True)
    settle(world)
    check(world, gateways, refreshes=False)
    expected = caches.expected()
    for node in world.nodes.values():
        assert caches.held(node) == expected
    return came_back(world)


def lonely_history(seed: int) -> None:
    """A node without peers that is started anew again and again, by stops and crashes. It knows what clients said."""
    world = World(seed, nodes=1, disks=True, lossless=True)
    gateways, caches = Gateways(world, silences=False), Caches(world, seed)
    gateways.traffic(40, rate=8.0)
    caches.traffic(40, 60)

    def start_anew(*, clean: bool) -> None:
        node = world.nodes["n0"]
        node.write_all(clean=clean)
        world.crash("n0")
        world.start("n0")
        world.nodes["n0"].replica.joined = True
        restored = world.nodes["n0"].restored
        assert restored is not None
        assert (restored.clean, restored.origin) == (clean, node.replica.origin)

    world.nodes["n0"].replica.joined = True
    for number in range(5):
        at = world.random.uniform(number * 10, number * 10 + 10)
        world.at(at, lambda clean=number % 2 == 0: start_anew(clean=clean))
    world.run(60)
    check(world, gateways)
    assert caches.held(world.nodes["n0"]) == caches.expected()
    assert came_back(world) == 5


def power_cut_history(seed: int) -> None:
    """All nodes at once lose what is not on their disks, which is nothing, and meet again."""
    world = World(seed, nodes=3, disks=True, lossless=True)
    world.run(2)
    gateways = Gateways(world, silences=False)
    gateways.traffic(40, rate=4.0)

    def power_cut() -> None:
        for name in world.names:
            if name in world.nodes:
                world.crash(name)
        for name in world.names:
            world.start(name)

    for at in (10.0, 25.0):
        world.at(at, power_cut)
    weather(world, 40, crashes=False, pauses=False)
    settle(world)
    check(world, gateways, refreshes=False)
    assert came_back(world) == 6


@pytest.mark.parametrize("lossless", [False, True])
@pytest.mark.parametrize("chunk", range(1))
def test_nodes_that_come_back_converge(chunk: int, *, lossless: bool) -> None:
    assert sum(crashing_history(seed, lossless=lossless) for seed in range(chunk * 2, chunk * 2 + 2))


@pytest.mark.parametrize("seed", CRASHING_REGRESSIONS)
def test_nodes_that_come_back_lose_nothing_that_they_wrote(seed: int) -> None:
    assert crashing_history(seed, lossless=True)


@pytest.mark.parametrize("seed", [*range(1), *RETRYING_REGRESSIONS])
def test_nodes_that_come_back_agree_on_attempts(seed: int) -> None:
    assert retrying_history(seed)


@pytest.mark.parametrize("seed", range(1))
def test_nodes_that_come_back_agree_on_which_life_of_a_gateway_stands(seed: int) -> None:
    assert restarting_history(seed)


@pytest.mark.parametrize("seed", [*range(1), *CACHING_REGRESSIONS])
def test_nodes_that_come_back_agree_on_caches(seed: int) -> None:
    assert caching_history(seed)


@pytest.mark.parametrize("seed", range(2))
def test_a_node_that_is_alone_survives_its_restarts(seed: int) -> None:
    lonely_history(seed)


@pytest.mark.parametrize("seed", [*range(1), *POWER_CUT_REGRESSIONS])
def test_nodes_that_all_lose_their_memory_at_once_lose_nothing(seed: int) -> None:
    power_cut_history(seed)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("lossless", [False, True])
@pytest.mark.parametrize("chunk", range(4))
def test_nodes_that_come_back_converge_over_hundreds_of_histories(chunk: int, *, lossless: bool) -> None:
    assert sum(crashing_history(seed, lossless=lossless) for seed in seeds(chunk)) > HISTORIES // 2


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("chunk", range(2))
def test_all_kinds_come_back_over_hundreds_of_histories(chunk: int) -> None:
    for seed in seeds(chunk):
        retrying_history(seed)
        restarting_history(seed)
        caching_history(seed)
        lonely_history(seed)
        power_cut_history(seed)
