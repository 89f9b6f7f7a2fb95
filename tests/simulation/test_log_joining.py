# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What a node that joins a log cannot get keeps it from serving for as long as `JoinTimeout`, and no longer."""

from __future__ import annotations

import pytest

from replication.log import loading
from replication.log.announcement import Announcement, written
from replication.log.member import LogMember
from replication.log.server import BEGINNING, LogAway
from replication.paths import VERSION
from tests.simulation.gateways import Gateways
from tests.simulation.log_server import SimLogServer
from tests.simulation.world import World

JOIN_SECONDS = 5.0  # of the nodes in a world


def started_again(world: World) -> LogMember:
    """Another life of the only node."""
    (name,) = world.names
    world.crash(name)
    world.start(name)
    log = world.nodes[name].log
    assert log is not None
    return log


def test_what_nobody_brings_is_not_waited_for_while_others_append() -> None:
    world = World(0, nodes=1, mesh=False, log=True)
    assert world.log is not None
    server = world.log.server
    world.run(2)

    def another(beat: int = 1) -> None:
        """A node that has what is not in the log, and writes no snapshot."""
        vector = {"b@1": 0, "gone@1": 5}
        generation = server.generation
        found = Announcement(VERSION, "b@1", beat, generation, BEGINNING, True, True, False, 1, vector, 0)
        server.announce("b@1", written(found), None)
        server.append(b"of no kind that is known")
        world.at(0.2, lambda: another(beat + 1))

    another()
    log = started_again(world)
    world.run(JOIN_SECONDS / 2)
    assert not log.ready.is_set()
    world.run(JOIN_SECONDS)
    assert log.ready.is_set()
    assert log.joined.is_set()


def test_slices_that_are_loaded_again_and_again_are_no_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "MOST_SLICES", 1)
    world = World(0, nodes=1, mesh=False, log=True)
    assert world.log is not None
    gateways = Gateways(world, silences=False)
    gateways.traffic(10, rate=4.0)
    world.run(90)
    pointer = world.log.server.pointer
    assert pointer is not None
    assert pointer.slices > 2

    def slices(self: SimLogServer, snapshot: str, first: int, most: int) -> list[bytes]:
        if first == 1:
            raise LogAway("the connection was lost")
        return self.snapshots[snapshot].bodies[first : first + most]

    monkeypatch.setattr(SimLogServer, "slices", slices)
    log = started_again(world)
    world.run(3 * JOIN_SECONDS)
    assert log.ready.is_set()
    assert not log.joined.is_set()
