# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Nodes that know each other by one log alone, and a log server that anything may befall."""

from __future__ import annotations

import pytest

from tests.audit import audit
from tests.simulation import HISTORIES
from tests.simulation.gateways import Gateways
from tests.simulation.log_link import LOG
from tests.simulation.test_convergence import check, seeds, settle
from tests.simulation.world import Faults, World


def log_world(seed: int, **options: bool) -> World:
    return World(seed, nodes=2 + seed % 3, capacity=64 if seed % 2 else 4096, mesh=False, log=True, **options)


def plain_history(seed: int) -> None:
    """A network that loses, repeats and delays; nodes that are cut off from the log."""
    world = log_world(seed)
    world.run(2)
    gateways = Gateways(world, silences=False)
    gateways.traffic(40, rate=4.0)
    log_weather(world, 60, crashes=False)
    log_settle(world)
    check(world, gateways)


def log_weather(world: World, seconds: float, *, crashes: bool) -> None:
    random = world.random
    end = world.now + seconds
    while world.now < end:
        world.faults = Faults(
            loss=random.choice([0, 0.05, 0.3]),
            duplicate=random.choice([0, 0.3]),
            longest=random.choice([0.005, 0.05, 0.8]),
        )
        world.cut = {frozenset((name, LOG)) for name in world.names if random.random() < 0.2}
        world.paused = {name for name in world.names[1:] if random.random() < 0.1}
        if crashes and len(world.nodes) == len(world.names) and random.random() < 0.4:
            name = random.choice(world.names)
            world.crash(name)
            world.paused.discard(name)
            world.at(random.uniform(0.2, 10), lambda name=name: name in world.nodes or world.start(name))
        if not set(world.nodes) - world.paused:
            world.paused.clear()
        world.run(random.choice([0.5, 3, 8, 20]))
        audit(random.choice(list(world.nodes.values())).ledger)


def log_settle(world: World) -> None:
    log = world.log
    assert log is not None
    log.away, log.server.most_bytes = False, 1 << 60
    log.wake()
    settle(world)
    for node in world.nodes.values():
        assert node.log is not None
        assert node.log.status.up.is_set()
        assert node.log.joined.is_set()
        assert not node.replica.missing
        assert node.log.acknowledged == node.journal.latest
        assert not node.log.repairs.differing


@pytest.mark.parametrize("seed", range(4))
def test_nodes_on_a_log_converge(seed: int) -> None:
    plain_history(seed)
