# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The history of load among nodes: in the snapshot, and pulled from a peer by a node that starts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from io import BytesIO
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.msgpack import decode, encode

from edge.call import Call
from edge.errors import InvalidInput
from loadstats.history import History, HistoryWant
from loadstats.history.copies import PAGE
from replication.history import HistoryExchange, SharedHistory
from replication.sender import LinkState
from replication.snapshot.capture import Capture
from replication.snapshot.contents import SnapshotEnd, SnapshotHistory, read
from replication.snapshot.frames import FrameReader
from replication.snapshot.restoring import Restoring
from tests.unit.loadstats.test_history_sampling import Past
from tests.unit.replication.lives import Life, Machine


class Admitted:
    """An admission that admits all."""

    def guard(self, handler: Callable[[Call], bytes], path: str) -> Callable[[Call], bytes]:
        return handler


class Peer:
    """A peer of an exchange, as a link and its connection. `status` is what it answers."""

    def __init__(self, exchange: HistoryExchange | None = None, status: int = 200) -> None:
        self.name = "10.0.0.2:8080"
        self.sender = SimpleNamespace(state=LinkState.CONNECTED, joined=True)
        self.exchange = exchange
        self.status = status
        self.asked = 0
        self.closed = 0

    def connection(self) -> Peer:
        return self

    async def ask(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        self.asked += 1
        if self.status != 200 or self.exchange is None:
            return self.status, b""
        return 200, self.exchange.answer(Call(b"", body, {}))

    def close(self) -> None:
        self.closed += 1


def exchange(history: History, *peers: Any, joined: bool = True) -> HistoryExchange:
    replica: Any = SimpleNamespace(joined=joined)
    admission: Any = Admitted()
    return HistoryExchange(SharedHistory(history), replica, lambda: peers, admission)


def past_of(clusters: int) -> Past:
    past = Past()
    for number in range(clusters):
        past.add(f"cluster {number:02}")
    past.step(3)
    return past


def pull(mine: HistoryExchange, done: Callable[[], bool]) -> None:
    async def scene() -> None:
        mine.start()
        async with asyncio.timeout(60):
            while not done():
                await asyncio.sleep(0)
        await mine.stop()

    asyncio.run(scene())


def test_a_node_that_starts_pulls_all_pages_of_a_peer() -> None:
    theirs, mine = past_of(2 * PAGE + 1), Past()
    mine.time = theirs.time
    peer = Peer(exchange(theirs.history))
    pull(exchange(mine.history, peer), lambda: bool(peer.closed))
    assert peer.asked == 4  # the last one is empty
    assert mine.history.clusters.keys() == theirs.history.clusters.keys()
    assert mine.known("cluster 08") == [1, 1, 1]
    assert mine.known("cluster 08", "10.0.0.1") == [1, 1, 1]


@pytest.mark.parametrize("status", [503, 404])  # of a node that stops, and of the release before
def test_another_peer_is_asked_where_one_has_nothing(status: int) -> None:
    theirs, mine = past_of(1), Past()
    mine.time = theirs.time
    good = Peer(exchange(theirs.history))
    pull(exchange(mine.history, Peer(status=status), good), lambda: bool(good.closed))
    assert mine.known("cluster 00") == [1, 1, 1]


def test_a_page_is_asked_for_by_name_and_nothing_else() -> None:
    answers = exchange(past_of(3).history)
    assert decode(answers.answer(Call(b"", encode(HistoryWant("cluster 01")), {})))[4][0][0] == "cluster 02"
    for body in (b"", b"\xc1", encode([7]), encode(["x" * 257])):
        with pytest.raises(InvalidInput):
            answers.answer(Call(b"", body, {}))


# The snapshot


def frames_of(snapshot: bytes) -> list[bytes]:
    return list(FrameReader(BytesIO(snapshot)))


def snapshot_with(machine: Machine, pages: list[bytes]) -> bytes:
    life = Life(machine)
    life.add("r1")
    return b"".join(Capture(life.replica, 1, machine.moment(), life.now, alone=True, history=lambda: pages).frames())


def test_a_snapshot_has_the_history_behind_its_end_where_earlier_releases_do_not_look() -> None:
    contents = [read(frame) for frame in frames_of(snapshot_with(Machine(), [b"one", b"two"]))]
    assert [type(each) for each in contents[-3:]] == [SnapshotEnd, SnapshotHistory, SnapshotHistory]


def test_a_restored_history_is_as_old_as_the_snapshot() -> None:
    machine = Machine()
    snapshot = snapshot_with(machine, [b"one", b"two"])
    machine.time += 20
    taken: list[tuple[bytes, int]] = []
    new = Life(machine)
    restoring = Restoring(
        frames_of(snapshot),
        [],
        at=machine.moment(),
        now=new.now(),
        most_seconds=600,
        history=lambda page, older_ms: taken.append((page, older_ms)),
    )
    restoring.survey()
    restoring.merge(new.replica, machine.wall_ns())
    assert taken == [(b"one", 20_000), (b"two", 20_000)]
    assert new.live() == {"r1"}


def test_a_page_that_cannot_be_read_spoils_nothing(caplog: pytest.LogCaptureFixture) -> None:
    shared = SharedHistory(past_of(1).history)
    shared.take(b"\xc1", 0)
    assert "is left out" in caplog.text


def test_a_whole_history_survives_a_restart() -> None:
    past = past_of(PAGE + 2)
    other = Past()
    other.time = past.time + 10
    shared = SharedHistory(other.history)
    for page in SharedHistory(past.history).pages():
        shared.take(page, 10_000)
    assert other.known("cluster 05") == [1, 1, 1]
    assert other.history.latest == past.history.latest
