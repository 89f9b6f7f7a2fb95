# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What befalls a real log server, and three nodes on it: calls go on from memory, and afterwards all are equal.

The nodes are the parts of one that know the log, on one event loop; `test_log_nodes.py` has whole ones. Each test makes
calls all the while, in turn at all nodes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from random import Random
from time import monotonic, time_ns

import pytest

from replication.log.clock import LoopClock
from replication.log.member import LogMember
from replication.log.valkey import ValkeyServer, open_log_server
from runtime.cold_start import ColdStart
from runtime.config.log_url import parse_log_url
from tests.unit.replication.raw_peer import Node
from tests.valkey import KINDS, Sentinel, ServerProcess, faketime, log_server, path_of

pytestmark = pytest.mark.slow

SECONDS = 90.0
DIAL_SECONDS = 0.5
PATIENCE_SECONDS = 0.5
CALL_EVERY_SECONDS = 0.002
LOST_AT_MOST = 4000  # calls that a test makes, so that a bug cannot make it endless


class LogNode(Node):
    """One life of a node on a log."""

    def __init__(self, name: str, url: str, epochs: Iterator[int]) -> None:
        super().__init__(f"{name}@{next(epochs)}", capacity=100_000)
        self.name = name
        self.server: ValkeyServer = open_log_server(
            parse_log_url(url), "n", dial_seconds=DIAL_SECONDS, patience_seconds=PATIENCE_SECONDS
        )
        self.member = LogMember(
            self.replica,
            self.journal,
            self.server,
            LoopClock(),
            random=Random(self.replica.origin),
            cold=ColdStart(600.0),
            join_seconds=SECONDS,
            keep_seconds=600.0,
        )
        self.tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        self.journal.on_append = self.member.writer.wake
        self.tasks = [asyncio.create_task(each) for each in (*(run() for run in self.member.runs), self._follow())]

    async def _follow(self) -> None:
        """Be ready once the log has been read, and drop what all others have."""
        await self.member.ready.wait()
        self.replica.joined = True
        while True:
            self.replica.trim([self.member.acknowledged])
            self.ledger.expire(monotonic(), time_ns())
            await asyncio.sleep(0.05)

    async def stop(self) -> None:
        """End this life, without a goodbye. A task that has failed raises here."""
        for task in self.tasks:
            task.cancel()
        results = await asyncio.gather(*self.tasks, return_exceptions=True)
        await self.server.close()
        for result in results:
            if not isinstance(result, asyncio.CancelledError) and result is not None:
                raise result

    def told(self) -> str:
        """How it stands, where a test fails."""
        member, standing = self.member, self.member.status.standing
        return (
            f"{self.replica.origin}: {self.away or 'there'}, {len(self.live())} live, generation "
            f"{member.status.generation}, at {member.reader.position}, first {standing and standing.first}, last "
            f"{standing and standing.last}, snapshot {member.status.pointer}, joined "
            f"{member.joined.is_set()}, ready {member.ready.is_set()}, vector {self.replica.vector()}, missing "
            f"{self.replica.missing}, appended {member.writer.appended}, snapshots needed {member.snapshots.needed!r}"
        )

    @property
    def has_snapshot(self) -> bool:
        """Whether there is a snapshot of the present generation, and all entries behind it."""
        status = self.member.status
        return status.pointer is not None and status.pointer.generation == status.generation and not status.gap

    @property
    def away(self) -> str:
        """Why the log is away; empty if it is not."""
        return "" if self.member.status.up.is_set() else self.member.status.reason


class World:
    """Three nodes on a log, and what clients said to them."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.epochs = count(1)
        self.nodes = [self._made(name) for name in ("one", "two", "three")]
        self.in_flight: set[str] = set()
        self._numbers = count(1)
        self._calling: asyncio.Task[None] | None = None
        self.longest_gap = 0.0

    def _made(self, name: str) -> LogNode:
        return LogNode(name, self.url, self.epochs)

    def start(self) -> None:
        for node in self.nodes:
            node.start()
        self._calling = asyncio.create_task(self._call())

    async def restart(self, at: int) -> None:
        """Kill a node whose calls others have, and start it again with nothing. No calls are made from then on."""
        await self.nodes[at].stop()
        self.nodes[at] = self._made(self.nodes[at].name)
        self.nodes[at].start()

    async def stop(self) -> None:
        self.pause()
        for node in self.nodes:
            await node.stop()

    async def until(self, what: str, true: Callable[[], object]) -> None:
        """Wait until something is so."""
        ends = monotonic() + SECONDS
        while not true():
            assert monotonic() < ends, (
                f"{what}: {len(self.in_flight)} in flight; {[each.told() for each in self.nodes]}"
            )
            await asyncio.sleep(0.02)  # between two looks, not in place of one

    async def all_away(self, reason: str) -> None:
        """Wait until each node says that the log is away, and why."""
        await self.until(f"away: {reason}", lambda: all(reason in node.away for node in self.nodes))

    async def restart_all(self) -> None:
        """Kill all nodes, and start them again with nothing."""
        for node in self.nodes:
            await node.stop()
        self.nodes = [self._made(node.name) for node in self.nodes]
        for node in self.nodes:
            node.start()

    def pause(self) -> None:
        """Make no calls for now."""
        if self._calling is not None:
            self._calling.cancel()

    async def agree(self, *, then_pause: bool = False) -> None:
        """Wait until all nodes have what clients were told, and no more. No calls are made meanwhile."""
        self.pause()
        await self.until("there", lambda: not any(node.away for node in self.nodes))
        await self.until("equal", lambda: all(node.live() == self.in_flight for node in self.nodes))
        await self.until("seen", lambda: all(len(node.member.roster.alive()) == 2 for node in self.nodes))
        digests = [node.replica.digests() for node in self.nodes]
        assert digests[0] == digests[1] == digests[2]
        if not then_pause:
            self._calling = asyncio.create_task(self._call())

    async def calls(self, number: int) -> None:
        """Wait until so many more calls were made."""
        for _ in range(number):
            self._make()
            await asyncio.sleep(CALL_EVERY_SECONDS)

    async def _call(self) -> None:
        for _ in range(LOST_AT_MOST):
            self._make()
            await asyncio.sleep(CALL_EVERY_SECONDS)

    def _make(self) -> None:
        """Begin a request at one node, and end an earlier one at another."""
        number = next(self._numbers)
        name = f"r{number}"
        node = self.nodes[number % 3]
        node.ledger.add(name, "c", f"10.0.0.{number % 5}", number, monotonic(), time_ns())
        self.in_flight.add(name)
        if number > 50:
            ended = f"r{number - 50}" if number % 2 else f"r{number - 49}"
            if ended in self.in_flight:
                self.nodes[(number + 1) % 3].ledger.done(ended, monotonic(), time_ns())
                self.in_flight.discard(ended)


@pytest.fixture(scope="module", params=KINDS)
def shared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server that drops exactly the entries that it is told to: by default it keeps up to a hundred more."""
    with log_server(request.param, tmp_path_factory.mktemp("log"), "--stream-node-max-entries", "1") as server:
        yield server


@pytest.fixture
def server(shared: ServerProcess) -> ServerProcess:
    shared.heal()
    shared.flush()
    return shared


@asynccontextmanager
async def running(url: str) -> AsyncIterator[World]:
    world = World(url)
    world.start()
    try:
        yield world
    finally:
        await world.stop()


def play(server: ServerProcess, scene: Callable[[World, ServerProcess], Awaitable[None]], url: str = "") -> None:
    async def run() -> None:
        async with running(url or server.url) as world:
            await scene(world, server)

    asyncio.run(run())


def test_a_log_server_that_is_away_at_the_start(server: ServerProcess) -> None:
    server.kill()

    async def scene(world: World, server: ServerProcess) -> None:
        await world.all_away("nothing listens")
        await world.calls(100)
        server.empty()
        await world.agree()

    play(server, scene)


def test_one_that_is_killed_under_load_and_comes_back_empty(server: ServerProcess) -> None:
    async def scene(world: World, server: ServerProcess) -> None:
        await world.calls(100)
        await world.agree()
        await world.calls(100)
        server.kill()
        await world.calls(100)
        await world.all_away("nothing listens")
        server.empty()
        await world.calls(100)
        await world.agree()

    play(server, scene)


def test_one_that_hangs(server: ServerProcess) -> None:
    async def scene(world: World, server: ServerProcess) -> None:
        await world.calls(100)
        server.freeze()
        await world.all_away("no answer for 0.5 s")
        await world.calls(100)
        server.thaw()
        await world.agree()

    play(server, scene)


def test_one_that_is_full(server: ServerProcess) -> None:
    async def scene(world: World, server: ServerProcess) -> None:
        await world.calls(100)
        server.fill()
        await world.until("full", lambda: all(node.member.status.full for node in world.nodes))
        await world.calls(100)
        server.drain()
        await world.agree()
        assert not any(node.member.status.full for node in world.nodes)

    play(server, scene)


def test_one_that_refuses_the_password(server: ServerProcess) -> None:
    async def scene(world: World, server: ServerProcess) -> None:
        await world.calls(100)
        server.command("CONFIG", "SET", "requirepass", "hunter2")
        server.password = "hunter2"
        try:
            server.command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
            await world.all_away("asks for a password")
            await world.calls(100)
        finally:
            server.command("CONFIG", "SET", "requirepass", "")
            server.password = ""
        await world.agree()

    play(server, scene)


def test_one_that_is_flushed(server: ServerProcess) -> None:
    async def scene(world: World, server: ServerProcess) -> None:
        await world.calls(200)
        await world.agree()
        generation = world.nodes[0].member.status.generation
        await world.calls(20)
        server.flush()
        await world.calls(200)
        await world.agree()
        assert {node.member.status.generation for node in world.nodes} != {generation}
        assert len({node.member.status.generation for node in world.nodes}) == 1

    play(server, scene)


def test_one_that_comes_back_as_an_older_copy_of_itself(server: ServerProcess) -> None:
    async def scene(world: World, server: ServerProcess) -> None:
        await world.calls(150)
        server.keep()
        await world.calls(150)
        await world.agree()
        await world.calls(20)
        server.roll_back()
        await world.calls(150)
        await world.agree()

    play(server, scene)


def test_one_that_loses_its_last_entries(server: ServerProcess) -> None:
    """As after a takeover: the copy is of a moment ago."""

    async def scene(world: World, server: ServerProcess) -> None:
        await world.calls(150)
        await world.agree()
        server.keep()
        await world.calls(10)
        server.roll_back()
        await world.agree()

    play(server, scene)


def test_one_whose_clock_jumps_an_hour(tmp_path: Path) -> None:
    """Requests are kept for eleven minutes; none ends by another clock than the nodes' own. With Valkey alone: the
    allocator of Debian's Redis does not go together with libfaketime."""
    faketime()

    async def scene(world: World, server: ServerProcess) -> None:
        await world.calls(150)
        await world.agree()
        server.keep()
        server.roll_back(ahead="+1h")
        await world.calls(100)
        await world.agree(then_pause=True)
        standing = world.nodes[0].member.status.standing
        assert standing is not None
        assert standing.now_ms > (time_ns() // 1_000_000) + 3_000_000
        await world.restart(1)
        await world.agree(then_pause=True)
        await world.restart(0)
        await world.agree()

    with log_server("valkey", tmp_path) as server:
        play(server, scene)


def test_nodes_that_start_with_nothing_meanwhile(server: ServerProcess) -> None:
    async def scene(world: World, server: ServerProcess) -> None:
        await world.calls(200)
        await world.agree(then_pause=True)
        await world.restart(1)
        await world.agree(then_pause=True)
        server.kill()
        await world.all_away("nothing listens")
        await world.restart(2)
        await world.calls(100)
        server.empty()
        await world.agree()

    play(server, scene)


def test_nodes_that_are_all_killed_after_the_log_was_lost(server: ServerProcess) -> None:
    """The load is in the log again as soon as there is a snapshot of the new generation."""

    async def scene(world: World, server: ServerProcess) -> None:
        await world.calls(200)
        await world.agree()
        server.kill()
        await world.all_away("nothing listens")
        server.empty()
        await world.calls(100)
        await world.agree(then_pause=True)
        await world.until("a snapshot", lambda: all(node.has_snapshot for node in world.nodes))
        await world.restart_all()
        await world.agree(then_pause=True)

    play(server, scene)


def test_nodes_that_are_all_killed_after_a_full_log_was_trimmed(server: ServerProcess) -> None:
    """What is dropped from the stream is not in the snapshot: so there must be one, and entries behind it."""

    async def scene(world: World, server: ServerProcess) -> None:
        await world.until("the first snapshot", lambda: all(node.has_snapshot for node in world.nodes))
        entries = {node: node.member.reader.read_entries for node in world.nodes}
        await world.calls(100)
        await world.until(
            "entries behind it", lambda: all(node.member.reader.read_entries > entries[node] for node in world.nodes)
        )
        server.fill()
        await world.until("full", lambda: all(node.member.status.full for node in world.nodes))
        await world.until("trimmed", lambda: any(node.member.status.gap for node in world.nodes))
        server.drain()
        await world.agree(then_pause=True)
        await world.until("a snapshot", lambda: all(node.has_snapshot for node in world.nodes))
        await world.restart_all()
        await world.agree(then_pause=True)

    play(server, scene)


@pytest.mark.parametrize("kind", KINDS)
def test_one_that_fails_over_and_loses_its_last_entries(kind: str, tmp_path: Path) -> None:
    with (
        log_server(kind, tmp_path / "one") as one,
        log_server(kind, tmp_path / "two", "--replicaof", f"127.0.0.1 {one.port}") as two,
    ):
        sentinel = Sentinel(path_of(kind), tmp_path / "sentinel", one)
        try:
            sentinel.start(1)

            async def scene(world: World, _: ServerProcess) -> None:
                await world.calls(200)
                await world.agree()
                two.freeze()  # what comes now does not reach the replica
                await world.calls(50)
                one.kill()
                two.thaw()
                await world.all_away("")
                await world.calls(100)
                await world.until("taken over", lambda: sentinel.primary() == two.port)
                await world.agree()

            play(one, scene, f"valkey+sentinel://127.0.0.1:{sentinel.port}/main")
        finally:
            sentinel.kill()
