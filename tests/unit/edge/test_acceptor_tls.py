# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Handshakes on real connections of loopback: slow ones end, many end their own, good ones get through."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import uvloop

from edge.acceptor import Acceptor
from edge.handshakes import MOST_OF_CLIENT, TURN, Handshakes, PendingHandshake
from edge.quotas import Quotas
from edge.server import listen
from runtime.config.schema import QuotasSettings
from runtime.tls import Renewed, server_context
from tests.certificates import Authority
from tests.unit.edge.lanes import until


class Echo(asyncio.Protocol):
    """Sends back what it gets."""

    transport: asyncio.BaseTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport.get_extra_info("ssl_object"), ssl.SSLObject)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)  # type: ignore[union-attr]


class Scene:
    """A listener, and connections to it."""

    def __init__(self, folder: Path, listener: socket.socket, *, seconds: float, most: int, clients: str) -> None:
        self.authority = Authority(folder)
        cert, key = self.authority.certificate("node")
        self.renewed = Renewed([cert, key], partial(server_context, cert, key, self.authority.file, clients))
        self.handshakes = Handshakes(most)
        self.quotas = Quotas(QuotasSettings())
        self.port = listener.getsockname()[1]
        self.listener = Acceptor(
            listener,
            lambda account: Echo(),
            self.quotas,
            refusal=lambda address: b"",
            tls=self.renewed,
            handshakes=self.handshakes,
            handshake_seconds=seconds,
        )
        self.listener.start()

    @contextmanager
    def silent(self, source: str) -> Iterator[socket.socket]:
        """A client that connects and says nothing."""
        with socket.create_connection(("127.0.0.1", self.port), source_address=(source, 0)) as connection:
            connection.setblocking(False)
            yield connection

    async def echo(self, *, source: str = "127.0.0.1", context: ssl.SSLContext | None = None) -> bytes:
        """What comes back of some bytes."""
        trust = context or ssl.create_default_context(cafile=self.authority.file)
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", self.port, ssl=trust, server_hostname="127.0.0.1", local_addr=(source, 0)
        )
        writer.write(b"hello")
        try:
            return await reader.read(5)
        finally:
            writer.transport.abort()

    async def answer(self, context: ssl.SSLContext | None = None) -> bytes:
        """The same; nothing where the connection is refused, before or after the client takes it for made."""
        try:
            return await self.echo(context=context)
        except (ssl.SSLError, ConnectionError):
            return b""


def play(
    folder: Path,
    scene: Callable[[Scene], Awaitable[None]],
    *,
    seconds: float = 60.0,
    most: int = 100,
    clients: str = "none",
) -> None:
    async def run() -> None:
        with listen("127.0.0.1", 0) as listener:
            stage = Scene(folder, listener, seconds=seconds, most=most, clients=clients)
            try:
                async with asyncio.timeout(60):
                    await scene(stage)
            finally:
                stage.listener.close()
                await stage.listener.wait_closed()
                await asyncio.sleep(0)
            assert len(stage.handshakes) == 0

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run())


async def ended(connection: socket.socket) -> bool:
    """Wait until the other side has ended a connection."""
    try:
        return await asyncio.get_running_loop().sock_recv(connection, 1) == b""
    except ConnectionError:
        return True


def test_a_handshake_gives_a_connection_that_works(tmp_path: Path) -> None:
    async def scene(stage: Scene) -> None:
        assert await stage.echo() == b"hello"
        await until(lambda: stage.handshakes.done == 1)

    play(tmp_path, scene)


def test_a_handshake_that_takes_too_long_is_cut_off(tmp_path: Path) -> None:
    async def scene(stage: Scene) -> None:
        with stage.silent("127.0.0.1") as connection:
            assert await ended(connection)
            assert stage.handshakes.failed["late"] == 1

    play(tmp_path, scene, seconds=0.05)


def test_of_too_many_the_oldest_of_the_client_with_the_most_ends(tmp_path: Path) -> None:
    async def scene(stage: Scene) -> None:
        with stage.silent("127.0.0.2") as other:
            await until(lambda: len(stage.handshakes) == 1)
            connections = []
            for number in range(2, 11):
                connections.append(stage.silent("127.0.0.3"))
                opened = connections[-1].__enter__()
                if number == 2:
                    oldest = opened
                await until(lambda number=number: len(stage.handshakes) == number)  # type: ignore[misc]
            assert await stage.echo() == b"hello"
            assert await ended(oldest)
            assert stage.handshakes.failed["crowded_out"] == 1
            with pytest.raises(BlockingIOError):
                other.recv(1)  # it is still waited for
            for connection in connections:
                connection.__exit__(None, None, None)

    play(tmp_path, scene, most=10)


def test_a_client_has_few_under_way_and_its_next_ones_wait_for_them(tmp_path: Path) -> None:
    async def scene(stage: Scene) -> None:
        with ExitStack() as stack:
            silent = [stack.enter_context(stage.silent("127.0.0.2")) for _ in range(MOST_OF_CLIENT)]
            await until(lambda: len(stage.handshakes) == MOST_OF_CLIENT)
            next_one = asyncio.create_task(stage.echo(source="127.0.0.2"))
            await until(lambda: stage.quotas.connections.held("127.0.0.2") == MOST_OF_CLIENT + 1)
            assert await stage.echo(source="127.0.0.1") == b"hello"
            assert not next_one.done()
            assert (len(stage.handshakes), stage.handshakes.waiting) == (MOST_OF_CLIENT, 1)
            silent[0].close()
            assert await next_one == b"hello"

    play(tmp_path, scene)


def test_those_that_wait_are_given_up_when_the_node_stops(tmp_path: Path) -> None:
    async def scene(stage: Scene) -> None:
        with ExitStack() as stack:
            silent = [stack.enter_context(stage.silent("127.0.0.2")) for _ in range(MOST_OF_CLIENT + 5)]
            await until(lambda: stage.quotas.connections.held("127.0.0.2") == len(silent))
            await until(lambda: len(stage.handshakes) == MOST_OF_CLIENT)
            stage.listener.close()
            assert all([await ended(each) for each in silent])
            await stage.listener.wait_closed()
            await until(lambda: stage.quotas.connections.held("127.0.0.2") == 0)

    play(tmp_path, scene)


def test_few_begin_in_a_turn_and_clients_take_turns() -> None:
    async def scene() -> None:
        handshakes = Handshakes()
        begun: list[str] = []
        stays = asyncio.Event()

        def begin(client: str) -> asyncio.Task[Any]:
            begun.append(client)
            return asyncio.create_task(stays.wait())

        for client in ["greedy"] * 20 + ["modest"]:
            handshakes.add(client, PendingHandshake(partial(begin, client), lambda: None))
        turns = []
        while len(begun) < 21:
            turns.append(len(begun))
            await asyncio.sleep(0)
        assert all(after - before <= TURN for before, after in pairwise([*turns, 21]))
        assert "modest" in begun[:2]
        handshakes.close()

    asyncio.run(scene())


def test_a_client_that_speaks_no_tls_is_refused(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def scene(stage: Scene) -> None:
        for _ in range(3):
            with stage.silent("127.0.0.1") as connection:
                connection.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                while not await ended(connection):  # an alert comes first
                    pass
        await until(lambda: stage.handshakes.failed["refused"] == 3)

    play(tmp_path, scene)
    assert len(caplog.records) == 1, "logged now and then"
    assert "http request" in caplog.records[0].getMessage()


def test_a_client_that_leaves_in_the_midst_is_counted_out(tmp_path: Path) -> None:
    async def scene(stage: Scene) -> None:
        with stage.silent("127.0.0.1"):
            await until(lambda: len(stage.handshakes) == 1)
        await until(lambda: len(stage.handshakes) == 0)

    play(tmp_path, scene)


@pytest.mark.parametrize("clients", ["optional", "required"])
def test_a_certificate_of_another_authority_is_refused(tmp_path: Path, clients: str) -> None:
    async def scene(stage: Scene) -> None:
        (tmp_path / "other").mkdir()
        trust = ssl.create_default_context(cafile=stage.authority.file)
        trust.load_cert_chain(*Authority(tmp_path / "other", "authority").certificate("gateway"))
        assert await stage.answer(trust) == b""
        await until(lambda: stage.handshakes.failed["refused"] == 1)
        good = ssl.create_default_context(cafile=stage.authority.file)
        good.load_cert_chain(*stage.authority.certificate("gateway"))
        assert await stage.echo(context=good) == b"hello"

    play(tmp_path, scene, clients=clients)


@pytest.mark.parametrize(("clients", "let_in"), [("optional", True), ("required", False)])
def test_who_shows_no_certificate_is_let_in_unless_one_is_required(
    tmp_path: Path, clients: str, *, let_in: bool
) -> None:
    async def scene(stage: Scene) -> None:
        assert await stage.answer() == (b"hello" if let_in else b"")

    play(tmp_path, scene, clients=clients)


def test_a_renewed_certificate_is_for_those_who_come_and_leaves_those_who_are_there(tmp_path: Path) -> None:
    async def scene(stage: Scene) -> None:
        trust = ssl.create_default_context(cafile=stage.authority.file)
        reader, writer = await asyncio.open_connection("127.0.0.1", stage.port, ssl=trust, server_hostname="127.0.0.1")
        before = writer.get_extra_info("peercert")["serialNumber"]
        stage.authority.certificate("renewed", file="node")
        stage.renewed.look()
        stage.renewed.look()
        _, later = await asyncio.open_connection("127.0.0.1", stage.port, ssl=trust, server_hostname="127.0.0.1")
        assert later.get_extra_info("peercert")["serialNumber"] != before
        writer.write(b"still there")
        assert await reader.readexactly(11) == b"still there"
        for each in (writer, later):
            each.transport.abort()

    play(tmp_path, scene)
