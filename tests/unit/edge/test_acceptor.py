# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""How connections are taken: on real sockets, on the loop of the server."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import uvloop

from edge.acceptor import LAST_WORDS, Acceptor
from edge.account import Account
from edge.quotas import Quotas
from edge.server import listen
from runtime.config.schema import QuotasSettings
from runtime.tls.renewed import Made, Renewed
from tests.certificates import certificate
from tests.unit.edge.lanes import until

ATTACKER, HONEST = "127.0.0.2", "127.0.0.1"
REFUSAL = b"HTTP/1.1 429 Too Many Requests\r\n\r\n"


class Echo(asyncio.Protocol):
    """Answers what it gets, and gives its place back."""

    def __init__(self, quotas: Quotas, account: Account) -> None:
        self.transport: Any = None
        self._quotas, self._account = quotas, account

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._quotas.leave(self._account)


def connect(port: int, address: str) -> socket.socket:
    """A connection from an address."""
    return socket.create_connection(("127.0.0.1", port), timeout=60, source_address=(address, 0))


def with_acceptor(quotas: Quotas, work: Callable[[Acceptor, int], Any], **options: Any) -> None:
    """Run a test beside an acceptor."""

    async def run() -> None:
        with listen("127.0.0.1", 0) as listener:
            acceptor = Acceptor(
                listener, lambda account: Echo(quotas, account), quotas, refusal=lambda address: REFUSAL, **options
            )
            acceptor.start()
            try:
                async with asyncio.timeout(60):
                    await work(acceptor, listener.getsockname()[1])
            finally:
                acceptor.close()
                await acceptor.wait_closed()

    uvloop.run(run())


async def echoed(connection: socket.socket) -> bytes:
    """What comes back."""
    return await asyncio.to_thread(lambda: (connection.sendall(b"x"), connection.recv(100))[1])


def test_a_client_has_its_most_connections_and_the_others_have_theirs() -> None:
    quotas = Quotas(QuotasSettings(connections=5))

    async def work(acceptor: Acceptor, port: int) -> None:
        held = [connect(port, ATTACKER) for _ in range(5)]
        await until(lambda: quotas.connections.total == 5, 60)
        late = connect(port, ATTACKER)
        assert await asyncio.to_thread(late.recv, 100) == REFUSAL
        honest = connect(port, HONEST)
        assert await echoed(honest) == b"x"
        assert [await echoed(each) for each in held] == [b"x"] * 5
        held.pop().close()
        await until(lambda: quotas.connections.held(ATTACKER) == 4, 60)
        again = connect(port, ATTACKER)
        assert await echoed(again) == b"x"
        for each in (*held, honest, again, late):
            each.close()
        await until(lambda: quotas.connections.total == 0, 60)

    with_acceptor(quotas, work)


def test_few_of_those_refused_stay_open_for_a_moment() -> None:
    now = [0]
    quotas = Quotas(QuotasSettings(connections=1))

    async def work(acceptor: Acceptor, port: int) -> None:
        refused = [connect(port, ATTACKER) for _ in range(3 * LAST_WORDS)]
        await until(lambda: quotas.connections.refused == len(refused) - 1, 60)
        now[0] += 10_000_000_000
        acceptor.sweep()
        assert [await asyncio.to_thread(ended, each) for each in refused].count(REFUSAL) <= LAST_WORDS
        for each in refused:
            each.close()

    with_acceptor(quotas, work, clock=lambda: now[0])


def ended(connection: socket.socket) -> bytes:
    """What a connection was answered before it was closed; None if it is still open."""
    connection.settimeout(0.5)  # short: it runs out where a connection is still open
    try:
        return connection.recv(100)
    except TimeoutError:
        return b"open"
    except OSError:
        return b""


def test_connections_in_a_handshake_count_and_a_failed_one_gives_its_place_back(tmp_path: Path) -> None:
    quotas = Quotas(QuotasSettings(connections=3))
    cert, key = certificate(tmp_path, "node")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)

    async def work(acceptor: Acceptor, port: int) -> None:
        silent = [connect(port, ATTACKER) for _ in range(3)]
        await until(lambda: quotas.connections.held(ATTACKER) == 3, 60)
        late = connect(port, ATTACKER)
        assert await asyncio.to_thread(ended_at_once, late)
        silent[0].sendall(b"this is no handshake at all\r\n\r\n")
        await until(lambda: quotas.connections.held(ATTACKER) <= 2, 60)
        silent[1].close()
        await until(lambda: quotas.connections.held(ATTACKER) <= 1, 60)
        await until(lambda: quotas.connections.held(ATTACKER) == 0, 60)  # the handshake takes too long
        for each in (*silent, late):
            each.close()

    with_acceptor(quotas, work, tls=Renewed([cert, key], lambda: Made(context, {})), handshake_seconds=3.0)


def ended_at_once(connection: socket.socket) -> bool:
    """Whether the node closed it."""
    try:
        return connection.recv(100) == b""
    except ConnectionError:
        return True
