# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Nodes that fell silent are not forgotten with the log: who knows them puts them back, also in a later life."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from msgspec.msgpack import encode

from replication.log.announcement import written
from replication.log.roster import BEAT_SECONDS, SILENCE_SECONDS, Roster
from replication.log.server import LogAway, LogStanding, Position
from replication.log.silent_nodes import KnownNodes, SilentNodes
from replication.snapshot.files import NODES, SnapshotFiles
from tests.unit.replication.test_log_lacks import announced

PLACE = ("", "a")


class Server:
    """A log server that may be away. `told`: the origins that were announced."""

    def __init__(self) -> None:
        self.away = False
        self.told: list[str] = []

    async def announce(self, origin: str, body: bytes, own: Position | None) -> None:
        if self.away:
            raise LogAway("away")
        self.told.append(origin)


class Life:
    """One life of the node `a`, as it sees the log server in steps of a beat."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.kept: list[bytes] = []
        self.roster = Roster("a@1", PLACE, 600.0)
        self.silent = SilentNodes(server, self.roster, self.kept.append)  # type: ignore[arg-type]
        self._now = 1.0

    def see(self, generation: str, *origins: str, beat: int = 1) -> None:
        """Look at a log server in which these nodes stand."""
        bodies = {origin: written(announced(origin, beat, {})) for origin in origins}
        standing = LogStanding(1000, generation, None, None, 0, True, bodies)
        self._now += BEAT_SECONDS
        self.roster.take(asyncio.run(self.silent.put_back(standing)), self._now)
        self.silent.note(generation)

    def lapsed(self) -> set[str]:
        return {each.latest.origin for each in self.roster.lapsed()}


def test_a_lost_log_gets_back_whom_a_node_knows_and_it_has_not() -> None:
    life = Life(Server())
    life.see("first", "b@1", "c@1")
    life.silent.log_was_lost()
    life.see("second", "b@1", beat=2)
    assert life.server.told == ["c@1"]
    life.see("second", "b@1", "c@1", beat=3)
    assert life.server.told == ["c@1"]


def test_what_could_not_be_put_back_is_put_back_later() -> None:
    life = Life(Server())
    life.see("first", "b@1")
    life.silent.log_was_lost()
    life.server.away = True
    with pytest.raises(LogAway):
        life.see("second")
    life.server.away = False
    life.see("second")
    assert life.server.told == ["b@1"]


def test_a_later_life_holds_for_a_node_that_only_the_one_before_knew() -> None:
    before = Life(Server())
    before.see("first", "b@1")
    life = Life(Server())
    life.silent.recall(before.kept[-1])
    life.see("second")
    assert life.server.told == ["b@1"]
    for _ in range(int(SILENCE_SECONDS / BEAT_SECONDS) + 1):
        life.see("second", "b@1")
    assert life.lapsed() == {"b@1"}


def test_a_log_that_was_not_lost_knows_better_who_has_left() -> None:
    before = Life(Server())
    before.see("first", "b@1", "c@1")
    life = Life(Server())
    life.silent.recall(before.kept[-1])
    life.see("first", "c@1")
    assert not life.server.told
    assert [each.latest.origin for each in life.roster.all()] == ["c@1"]


def test_who_is_there_is_kept_when_it_changes() -> None:
    life = Life(Server())
    for beat, origins in enumerate([["b@1"], ["b@1"], ["b@1", "c@1"], ["b@1", "c@1"]]):
        life.see("first", *origins, beat=beat)
    assert len(life.kept) == 2
    life.see("second", "b@1", "c@1", beat=9)
    assert len(life.kept) == 3


@pytest.mark.parametrize("body", [b"", b"\xff", b"\x91\x01", encode(KnownNodes(99, "first", {"b@1": b""}))])
def test_what_cannot_be_read_is_as_nothing(body: bytes) -> None:
    life = Life(Server())
    life.silent.recall(body)
    life.see("second")
    assert not life.server.told
    assert not life.roster.all()


def test_the_file_is_private_and_whole(tmp_path: Path) -> None:
    files = SnapshotFiles(tmp_path)
    assert files.claim()
    assert files.nodes() == b""
    for body in (b"one", b"another"):
        files.keep_nodes(body)
        assert files.nodes() == body
    assert (files.path / NODES).stat().st_mode & 0o777 == 0o600
    files.close()
