# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What every log server does: the client on a real Valkey and a real Redis, and the one of the simulation."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from time import time_ns
from typing import Any, cast

import pytest

from replication.log.server import (
    BEGINNING,
    MOST_ENTRIES,
    LeaseLost,
    LogFull,
    LogRefused,
    LogServer,
    Position,
    SnapshotPointer,
    StreamMissing,
)
from replication.log.valkey import open_log_server
from runtime.config.log_url import parse_log_url
from tests.simulation.log_server import SimLogServer
from tests.valkey import KINDS, ServerProcess, log_server

SECONDS = 60.0
Scene = Callable[[LogServer, "Ground"], Awaitable[None]]


class Ground:
    """A log server, empty and with room, and what may befall it."""

    def play(self, scene: Scene) -> None:
        raise NotImplementedError

    def fill(self) -> None:
        """Leave no room."""
        raise NotImplementedError


class RealGround(Ground):
    def __init__(self, process: ServerProcess) -> None:
        self._process = process
        process.heal()
        process.flush()

    def play(self, scene: Scene) -> None:
        async def run() -> None:
            log = open_log_server(parse_log_url(self._process.url), "n", dial_seconds=SECONDS, patience_seconds=SECONDS)
            try:
                await scene(log, self)
            finally:
                await log.close()

        asyncio.run(run())

    def fill(self) -> None:
        self._process.fill()


class Simulated:
    """The simulated server with the operations as coroutines."""

    def __init__(self, server: SimLogServer) -> None:
        self._server = server

    async def read(self, after: Position, wait_seconds: float) -> Any:
        return self._server.read(after)

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        async def operate(*words: Any) -> Any:
            return getattr(self._server, name)(*words)

        return operate


class SimulatedGround(Ground):
    def __init__(self) -> None:
        self._server = SimLogServer(lambda: time_ns() // 1_000_000)

    def play(self, scene: Scene) -> None:
        asyncio.run(cast("Any", scene)(Simulated(self._server), self))

    def fill(self) -> None:
        self._server.most_bytes = 1


@pytest.fixture(scope="module", params=["simulated", *KINDS])
def process(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess | None]:
    if request.param == "simulated":
        yield None
        return
    with log_server(request.param, tmp_path_factory.mktemp("log")) as server:
        yield server


@pytest.fixture
def ground(process: ServerProcess | None) -> Ground:
    return SimulatedGround() if process is None else RealGround(process)


def test_entries_are_read_in_their_order_and_trimmed(ground: Ground) -> None:
    async def scene(log: LogServer, _: Ground) -> None:
        assert await log.read(BEGINNING, 0) == []
        await log.begin("", "g")
        positions = [await log.append(b"%d" % number) for number in range(300)]
        assert positions == sorted(set(positions))
        first = await log.read(BEGINNING, 0)
        assert [entry.body for entry in first] == [b"", *(b"%d" % number for number in range(MOST_ENTRIES - 1))]
        assert [entry.position for entry in first[1:]] == positions[: MOST_ENTRIES - 1]
        assert await log.read(positions[-2], 0) == [(positions[-1], b"299")]
        assert await log.read(positions[-1], 0) == []
        await log.trim(positions[250])
        standing = await log.announce("a", b"", None)
        assert standing.first is not None
        assert positions[100] < standing.first <= positions[250]  # a block of the stream goes as a whole
        assert standing.last == positions[-1]
        assert 50 <= standing.length < 200
        assert (await log.read(BEGINNING, 0))[0].position == standing.first

    ground.play(scene)


def test_a_stream_is_made_by_a_generation_alone(ground: Ground) -> None:
    async def scene(log: LogServer, _: Ground) -> None:
        with pytest.raises(StreamMissing):
            await log.append(b"x")
        standing = await log.announce("a", b"", Position(1, 1))
        assert (standing.generation, standing.first, standing.last, standing.length) == ("", None, None, 0)
        assert not standing.own_there
        assert not await log.begin("other", "g1")
        assert await log.begin("", "g1")
        position = await log.append(b"x")
        assert await log.begin("", "g1")  # the reply to the first one may have been lost
        assert not await log.begin("", "g2")
        assert (await log.announce("a", b"", None)).generation == "g1"
        assert await log.begin("g1", "g2")
        standing = await log.announce("a", b"", None)
        assert (standing.generation, standing.last, standing.length) == ("g2", position, 2)

    ground.play(scene)


def test_announcements_are_seen_by_all(ground: Ground) -> None:
    async def scene(log: LogServer, _: Ground) -> None:
        await log.begin("", "g")
        own = await log.append(b"x")
        assert (await log.announce("a", b"body", own)).own_there
        assert not (await log.announce("a", b"body", Position(own.ms, own.number + 1))).own_there
        standing = await log.announce("b", b"\x00\xff", None)
        assert standing.own_there
        assert dict(standing.announcements) == {"a": b"body", "b": b"\x00\xff"}
        assert abs(standing.now_ms - time_ns() // 1_000_000) < SECONDS * 1000
        await log.forget("a", b"another")
        assert set((await log.announce("b", b"", None)).announcements) == {"a", "b"}
        await log.forget("a", b"body")
        assert set((await log.announce("b", b"", None)).announcements) == {"b"}
        await log.forget("b", b"")
        await log.forget("b", b"")
        assert set((await log.announce("c", b"", None)).announcements) == {"c"}

    ground.play(scene)


def pointer(number: int, position: Position, slices: int = 2, generation: str = "g") -> SnapshotPointer:
    return SnapshotPointer(
        generation=generation, snapshot=f"s{number}", position=position, slices=slices, bytes=6, cold=number == 1
    )


async def write(log: LogServer, found: SnapshotPointer) -> None:
    assert await log.take_lease("t", SECONDS)
    await log.write_slices("t", found.snapshot, [b"one"], SECONDS)
    await log.write_slices("t", found.snapshot, [b"two"], SECONDS)
    await log.commit("t", found)


def test_two_snapshots_are_kept_and_the_stream_behind_the_older_one(ground: Ground) -> None:
    async def scene(log: LogServer, _: Ground) -> None:
        await log.begin("", "g")
        positions = []
        for number in (1, 2, 3):
            for _ in range(200):
                last = await log.append(b"x" * 1000)
            positions.append(last)
            await write(log, pointer(number, last))
            standing = await log.announce("a", b"", None)
            found = standing.pointer
            assert found is not None
            assert (found.generation, found.snapshot, found.position) == ("g", f"s{number}", last)
            assert (found.slices, found.bytes, found.cold) == (2, 6, number == 1)
            assert abs(found.written_ms - standing.now_ms) < SECONDS * 1000
            assert standing.writer == ""
        assert standing.first is not None
        assert positions[0] < standing.first <= positions[1]
        assert [await log.slices(f"s{number}", 0, 9) for number in (1, 2, 3)] == [[], *[[b"one", b"two"]] * 2]
        assert await log.slices("s3", 1, 1) == [b"two"]
        assert await log.slices("s3", 2, 9) == []

    ground.play(scene)


def test_one_node_at_a_time_writes_a_snapshot(ground: Ground) -> None:
    async def scene(log: LogServer, _: Ground) -> None:
        await log.begin("", "g")
        last = await log.append(b"x")
        with pytest.raises(LeaseLost):
            await log.write_slices("t", "s1", [b"one"], SECONDS)
        assert await log.take_lease("t", SECONDS)
        assert await log.take_lease("t", SECONDS)
        assert not await log.take_lease("u", SECONDS)
        assert (await log.announce("a", b"", None)).writer == "t"
        await log.write_slices("t", "s1", [b"one", b"two"], SECONDS)
        with pytest.raises(LeaseLost):
            await log.write_slices("u", "s1", [b"one"], SECONDS)
        with pytest.raises(LeaseLost):
            await log.commit("u", pointer(1, last))
        await log.release("u", "s9")
        assert (await log.announce("a", b"", None)).writer == "t"
        await log.release("t", "s1")
        assert (await log.announce("a", b"", None)).writer == ""
        assert await log.slices("s1", 0, 9) == []
        assert await log.take_lease("u", SECONDS)

    ground.play(scene)


def test_a_snapshot_that_is_not_whole_or_not_newer_is_refused(ground: Ground) -> None:
    async def scene(log: LogServer, _: Ground) -> None:
        await log.begin("", "g")
        first, last = await log.append(b"x"), await log.append(b"x")
        await write(log, pointer(1, last))
        await log.take_lease("t", SECONDS)
        await log.write_slices("t", "s2", [b"one", b"two"], SECONDS)
        for wrong in (pointer(2, last, slices=3), pointer(2, last, slices=1), pointer(2, first)):
            with pytest.raises(LogRefused):
                await log.commit("t", wrong)
        with pytest.raises(LogRefused):
            await log.commit("t", pointer(2, last, generation="h"))
        found = (await log.announce("a", b"", None)).pointer
        assert found is not None
        assert found.snapshot == "s1"
        await log.commit("t", pointer(2, last))

    ground.play(scene)


def test_a_commit_whose_reply_was_lost_is_done_again(ground: Ground) -> None:
    async def scene(log: LogServer, _: Ground) -> None:
        await log.begin("", "g")
        last = await log.append(b"x")
        for number in (1, 2):
            await write(log, pointer(number, last))
            await log.commit("t", pointer(number, last))
        await log.release("t", "s2")
        assert [await log.slices(f"s{number}", 0, 9) for number in (1, 2)] == [[b"one", b"two"]] * 2

    ground.play(scene)


def test_what_was_not_finished_goes_by_itself(ground: Ground) -> None:
    async def scene(log: LogServer, _: Ground) -> None:
        await log.begin("", "g")
        await log.take_lease("t", SECONDS)
        await log.write_slices("t", "s1", [b"one"], 0.02)
        while await log.slices("s1", 0, 9) or (await log.announce("a", b"", None)).writer:
            await asyncio.sleep(0.005)  # between two looks, not in place of one
        assert await log.take_lease("u", SECONDS)

    ground.play(scene)


def test_a_full_server_says_how_the_log_stands_and_is_trimmed(ground: Ground) -> None:
    async def scene(log: LogServer, ground: Ground) -> None:
        await log.begin("", "g")
        for _ in range(10):
            last = await log.append(b"x" * 10_000)
        assert await log.take_lease("t", SECONDS)
        ground.fill()
        with pytest.raises(LogFull):
            await log.append(b"x")
        with pytest.raises(LogFull):
            await log.write_slices("t", "s1", [b"x"], SECONDS)
        assert (await log.announce("a", b"body", last)).own_there
        await log.trim(last)
        assert (await log.announce("a", b"body", last)).length == 1
        await log.release("t", "s1")
        await log.forget("a", b"body")

    ground.play(scene)
