# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The client of the log server against real ones, Valkey and Redis, and against servers that misbehave."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic

import pytest

from replication.log.server import (
    BEGINNING,
    LogAway,
    LogError,
    LogFull,
    LogRefused,
    StreamMissing,
)
from replication.log.valkey import ValkeyServer, open_log_server
from runtime.config.log_url import parse_log_url
from tests.certificates import Authority
from tests.ports import closed_port, free_port
from tests.valkey import KINDS, Sentinel, ServerProcess, log_server, path_of

PATIENCE = 60.0
IMPATIENT = 0.3
NAME = "n"


@pytest.fixture(scope="module", params=KINDS)
def shared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with log_server(request.param, tmp_path_factory.mktemp("log")) as server:
        yield server


@pytest.fixture
def server(shared: ServerProcess) -> ServerProcess:
    """One that runs, has room and holds nothing."""
    shared.heal()
    shared.flush()
    return shared


@asynccontextmanager
async def client(url: str, patience_seconds: float = PATIENCE) -> AsyncIterator[ValkeyServer]:
    found = open_log_server(parse_log_url(url), NAME, dial_seconds=PATIENCE, patience_seconds=patience_seconds)
    try:
        yield found
    finally:
        await found.close()


def play(url: str, scene: Callable[[ValkeyServer], Awaitable[None]], patience_seconds: float = PATIENCE) -> None:
    async def run() -> None:
        async with client(url, patience_seconds) as log:
            await scene(log)

    asyncio.run(run())


async def succeeds(operation: Callable[[], Awaitable[object]]) -> None:
    """Try until the server is back."""
    ends = monotonic() + PATIENCE
    while True:
        try:
            await operation()
        except LogAway:
            assert monotonic() < ends
            await asyncio.sleep(0.02)  # between two tries, not in place of one
        else:
            return


def fails(url: str, error: type[LogError], reason: str, patience_seconds: float = PATIENCE) -> None:
    """See that no operation works, for a reason that shows no secret."""

    async def scene(log: ValkeyServer) -> None:
        with pytest.raises(error, match=reason) as raised:
            await log.append(b"x")
        assert "hunter" not in str(raised.value)

    play(url, scene, patience_seconds)


def test_a_read_waits_and_sees_an_entry_at_once(server: ServerProcess) -> None:
    async def scene(log: ValkeyServer) -> None:
        await log.begin("", "g")
        last = (await log.read(BEGINNING, 0))[-1].position
        assert await log.read(last, 0.02) == []
        waiting = asyncio.create_task(log.read(last, PATIENCE))
        position = await log.append(b"x" * 100_000)
        assert await waiting == [(position, b"x" * 100_000)]
        cancelled = asyncio.create_task(log.read(position, PATIENCE))
        await asyncio.sleep(0)
        cancelled.cancel()
        began = monotonic()
        assert len(await log.read(last, PATIENCE)) == 1
        assert monotonic() - began < PATIENCE / 2

    play(server.url, scene)


def test_a_server_that_hangs_is_given_up_and_found_again(server: ServerProcess) -> None:
    async def scene(log: ValkeyServer) -> None:
        await log.begin("", "g")
        server.freeze()
        began = monotonic()
        calls = [log.append(b"x"), log.announce("a", b"", None), log.read(BEGINNING, 0.01)]
        results = await asyncio.gather(*calls, return_exceptions=True)
        assert [type(each) for each in results] == [LogAway] * 3
        assert {str(each) for each in results} == {"no answer for 0.3 s"}
        assert monotonic() - began < PATIENCE / 2
        server.thaw()
        await succeeds(lambda: log.append(b"x"))
        await succeeds(lambda: log.read(BEGINNING, 0.01))

    play(server.url, scene, IMPATIENT)


def test_a_server_that_dies_ends_calls_at_once(server: ServerProcess) -> None:
    async def scene(log: ValkeyServer) -> None:
        await log.begin("", "g")
        waiting = asyncio.create_task(log.read((await log.read(BEGINNING, 0))[-1].position, PATIENCE))
        await succeeds(lambda: log.append(b"x"))
        await waiting
        waiting = asyncio.create_task(log.read((await log.read(BEGINNING, 0))[-1].position, PATIENCE))
        await asyncio.sleep(0)
        server.kill()
        with pytest.raises(LogAway, match="it closed the connection"):
            await waiting
        with pytest.raises(LogAway, match=r"closed the connection|nothing listens"):
            await log.append(b"x")
        with pytest.raises(LogAway, match="nothing listens there"):
            await log.append(b"x")
        server.start()
        with pytest.raises(StreamMissing):
            await log.append(b"x")
        assert await log.begin("", "g")
        assert await log.append(b"x")

    play(server.url, scene)


def test_a_call_that_waits_for_a_connection_ends_when_it_is_cancelled_or_the_connection_closed() -> None:
    async def scene(log: ValkeyServer) -> None:
        calls = [asyncio.create_task(log.append(b"x")) for _ in range(2)]
        await asyncio.sleep(0)
        calls[0].cancel()
        await log.close()
        results = await asyncio.gather(*calls, return_exceptions=True)
        assert [type(each) for each in results] == [asyncio.CancelledError, LogAway]

    async def run() -> None:
        released = asyncio.Event()

        async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await released.wait()
            writer.close()

        async with await asyncio.start_server(hold, "127.0.0.1", 0) as silent:
            async with client(f"valkey://127.0.0.1:{silent.sockets[0].getsockname()[1]}") as log:
                await scene(log)
            released.set()

    asyncio.run(run())


def test_a_full_server_still_says_how_the_log_stands_and_is_trimmed(server: ServerProcess) -> None:
    async def scene(log: ValkeyServer) -> None:
        await log.begin("", "g")
        for _ in range(10):
            last = await log.append(b"x" * 10_000)
        server.fill()
        with pytest.raises(LogFull, match="maxmemory"):
            await log.append(b"x")
        with pytest.raises(LogFull):
            await log.write_slices("t", "s", [b"x"], 1)
        assert (await log.announce("a", b"body", last)).own_there
        await log.trim(last)
        assert (await log.announce("a", b"body", last)).length == 1
        server.drain()
        assert await log.append(b"x")

    play(server.url, scene)


def test_it_says_what_the_server_is(server: ServerProcess) -> None:
    async def scene(log: ValkeyServer) -> None:
        facts = await log.facts()
        name, _, version = facts.version.partition(" ")
        assert version == server.info("valkey_version" if name == "Valkey" else "redis_version")
        assert facts.policy == "noeviction"
        assert facts.used_bytes > 100_000
        assert (facts.most_bytes, facts.persistence) == (0, "none")
        server.command("CONFIG", "SET", "save", "60 1")
        assert (await log.facts()).persistence == "snapshots, save 60 1"
        server.command("CONFIG", "SET", "save", "")
        server.command("CONFIG", "SET", "appendonly", "yes")
        assert (await log.facts()).persistence == "append-only file, fsync everysec"
        server.command("CONFIG", "SET", "appendonly", "no")

    play(server.url, scene)


def test_databases_and_the_socket_are_taken(server: ServerProcess) -> None:
    async def scene(log: ValkeyServer) -> None:
        assert await log.begin("", "g")

    play(f"{server.url}/3", scene)
    play(f"unix://{server.socket}?db=4", scene)
    for database in (3, 4):
        assert f"db{database}:keys=2" in server.command("INFO", "keyspace").decode()
    fails(f"{server.url}/999", LogRefused, "DB index is out of range")


def test_another_programs_keys_are_left_alone(server: ServerProcess) -> None:
    server.command("SET", "{n}:stream", "x")
    fails(server.url, LogRefused, "LogName")
    server.flush()
    server.command("XADD", "{n}:stream", "1-1", "other", "x")

    async def scene(log: ValkeyServer) -> None:
        with pytest.raises(LogRefused, match="LogName"):
            await log.read(BEGINNING, 0)

    play(server.url, scene)


def test_users_and_passwords(server: ServerProcess) -> None:
    server.command("CONFIG", "SET", "requirepass", "hunter2")
    server.password = "hunter2"
    try:
        place = f"127.0.0.1:{server.port}"
        server.command("ACL", "SETUSER", "node", "on", ">hunter3", "~{n}:*", "+@all", "-@dangerous", "+info")
        server.command("ACL", "SETUSER", "reader", "on", ">hunter4", "~{n}:*", "+hello", "+client", "+xread")
        fails(f"valkey://{place}", LogRefused, "asks for a password")
        fails(f"valkey://:hunter1@{place}", LogRefused, "refuses the user or the password")
        fails(f"valkey://node:hunter2@{place}", LogRefused, "refuses the user or the password")
        fails(f"valkey://reader:hunter4@{place}", LogRefused, "lacks a permission")

        async def scene(log: ValkeyServer) -> None:
            assert await log.begin("", "g") in (True, False)
            await log.announce("a", b"", None)
            await log.append(b"x")
            assert (await log.facts()).persistence == "not known"

        play(f"valkey://node:hunter3@{place}", scene)
    finally:
        server.command("CONFIG", "SET", "requirepass", "")
        server.password = ""


def test_a_replica_is_no_log_server(server: ServerProcess) -> None:
    server.command("REPLICAOF", "127.0.0.1", free_port())
    try:
        fails(server.url, LogAway, "it is a replica")
    finally:
        server.command("REPLICAOF", "NO", "ONE")


def test_a_server_that_becomes_a_replica_is_left(server: ServerProcess) -> None:
    async def scene(log: ValkeyServer) -> None:
        await log.begin("", "g")
        server.command("REPLICAOF", "127.0.0.1", free_port())
        try:
            with pytest.raises(LogAway):
                await log.append(b"x")
        finally:
            server.command("REPLICAOF", "NO", "ONE")
        await succeeds(lambda: log.append(b"x"))

    play(server.url, scene)


def test_what_is_read_is_of_the_server_that_commands_go_to(server: ServerProcess, tmp_path: Path) -> None:
    """One connection ends, and the Sentinel names another server now, while the old one goes on."""
    with log_server("redis", tmp_path) as other:
        ports = [server.port]

        async def name(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"main\r\n")
            port = b"%d" % ports[-1]
            writer.write(b"*2\r\n$9\r\n127.0.0.1\r\n$%d\r\n%s\r\n" % (len(port), port))
            await reader.read()
            writer.close()

        async def scene(log: ValkeyServer) -> None:
            await log.begin("", "g")
            last = (await log.read(BEGINNING, 0))[-1].position
            waiting = asyncio.create_task(log.read(last, PATIENCE))
            while server.info("blocked_clients") != "1":
                await asyncio.sleep(0.01)
            ports.append(other.port)
            for line in server.command("CLIENT", "LIST").decode().splitlines():
                if "name=metadata-center" in line and "cmd=xread" not in line:
                    server.command("CLIENT", "KILL", "ID", line.split()[0].removeprefix("id="))
            await succeeds(lambda: log.begin("", "g"))
            with pytest.raises(LogAway):
                await waiting
            position = await log.append(b"x")
            assert (position, b"x") in await log.read(BEGINNING, 0)

        async def run() -> None:
            async with await asyncio.start_server(name, "127.0.0.1", 0) as sentinel:
                place = f"127.0.0.1:{sentinel.sockets[0].getsockname()[1]}"
                async with client(f"valkey+sentinel://{place}/main") as log:
                    await scene(log)

        asyncio.run(run())


def test_tls_verifies_the_server(tmp_path: Path) -> None:
    authority, other = Authority(tmp_path), Authority(tmp_path, "other")
    cert, key = authority.certificate("server")
    own, own_key = authority.certificate("node")
    options = ("--tls-cert-file", cert, "--tls-key-file", key, "--tls-ca-cert-file", authority.file)
    with log_server("redis", tmp_path, tls_options=options) as server:
        place = f"rediss://127.0.0.1:{server.port}"

        async def scene(log: ValkeyServer) -> None:
            assert await log.begin("", "g")

        play(f"{place}?ca={authority.file}&cert={own}&key={own_key}", scene)
        fails(f"{place}?ca={authority.file}", LogAway, "closed the connection|TLS")
        fails(f"{place}?ca={other.file}&cert={own}&key={own_key}", LogAway, "its certificate is not accepted")
        fails(f"{place}?cert={own}&key={own_key}", LogAway, "its certificate is not accepted")
        fails(f"redis://127.0.0.1:{server.port}", LogAway, "closed the connection|no answer|not the protocol", 5.0)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_sentinels_are_asked_where_the_server_is(kind: str, tmp_path: Path) -> None:
    with (
        log_server(kind, tmp_path / "one", password="hunter2") as one,
        log_server(kind, tmp_path / "two", f"--replicaof 127.0.0.1 {one.port}", password="hunter2") as two,
        closed_port() as away,
    ):
        sentinel = Sentinel(path_of(kind), tmp_path / "sentinel", one)
        try:
            sentinel.start(1)
            sentinels = f"valkey+sentinel://:hunter2@127.0.0.1:{away},127.0.0.1:{sentinel.port}"
            fails(f"{sentinels}/other", LogAway, "no Sentinel says where it is: .*; it knows no server other")

            async def scene(log: ValkeyServer) -> None:
                await log.begin("", "g")
                await log.append(b"x")
                await log.append(b"x")
                one.kill()
                with pytest.raises(LogAway):
                    await log.append(b"y")
                await succeeds(lambda: log.append(b"z"))
                assert sentinel.primary() == two.port
                assert [entry.body for entry in await log.read(BEGINNING, 0)][-1] == b"z"
                one.start()  # it thinks that it is the server, until the Sentinel has seen it
                await log.append(b"z")

            play(f"{sentinels}/main", scene)
        finally:
            sentinel.kill()


@pytest.mark.parametrize("host", ["a..b", "a" * 64, "hunter2" * 10])
def test_a_name_that_cannot_be_looked_up_is_said(host: str) -> None:
    fails(f"valkey://{host}:6379", LogRefused, "none that can be looked up")


@pytest.mark.parametrize(
    ("reply", "error", "reason"),
    [
        (b"-ERR unknown command `HELLO`, with args beginning with: `2`, `hunter2`\r\n", LogRefused, "older"),
        (b"*4\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$7\r\n6.2.5.1\r\n", LogRefused, "it is Redis 6.2.5.1"),
        (b"*4\r\n$6\r\nserver\r\n$6\r\nvalkey\r\n$7\r\nversion\r\n$5\r\n7.9.9\r\n", LogRefused, "it is Valkey 7.9.9"),
        (b"-LOADING Redis is loading the dataset in memory\r\n", LogAway, "loading"),
        (b"-ERR max number of clients reached\r\n", LogAway, "as many connections"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", LogAway, "not the protocol"),
        (b"", LogAway, "it closed the connection"),
    ],
)
def test_servers_that_cannot_hold_a_log(reply: bytes, error: type[LogError], reason: str) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(reply)
        writer.close()

    async def run() -> None:
        async with await asyncio.start_server(answer, "127.0.0.1", 0) as fake:
            port = fake.sockets[0].getsockname()[1]
            async with client(f"valkey://:hunter2@127.0.0.1:{port}") as log:
                with pytest.raises(error, match=reason) as raised:
                    await log.append(b"x")
                assert "hunter" not in str(raised.value)

    asyncio.run(run())
