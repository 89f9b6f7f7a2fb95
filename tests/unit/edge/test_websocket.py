# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""A websocket on raw bytes: its handshake has a time limit, and its client cannot make it hold much."""

from __future__ import annotations

import asyncio
import gc
import logging
import weakref
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from edge.backlog import SHARE_STEPS
from edge.websocket import SLICE
from tests.unit.edge.lanes import Server, answers

READ = 64 * 1024  # bytes in one go; uvloop reads up to 256 KB
PING = b"\x89\x80\x00\x00\x00\x00"
TEXT = b"\x81\x81\x00\x00\x00\x00x"


class Application:
    """Accepts, then takes messages as long as it is let."""

    def __init__(self) -> None:
        self.accepts = self.takes = asyncio.Event()
        self.taken = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await self.accepts.wait()
        await send({"type": "websocket.accept"})
        while True:
            await self.takes.wait()
            message = await receive()
            if message["type"] == "websocket.disconnect":
                return
            self.taken += 1


def handshake(*headers: bytes, method: bytes = b"GET") -> bytes:
    lines = [
        method + b" /ws HTTP/1.1",
        b"Host: n",
        b"Connection: Upgrade",
        b"Upgrade: websocket",
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        b"Sec-WebSocket-Version: 13",
        *headers,
    ]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def on_a_server(check: Callable[[Server, Application], Awaitable[None]]) -> None:
    async def run() -> None:
        application = Application()
        server = Server(application)
        await check(server, application)
        application.accepts.set()
        application.takes.set()
        for connection in list(server.state.connections):
            connection.connection_lost(ConnectionResetError())
        await server.settle()
        assert not server.state.tasks
        assert not server.state.connections

    asyncio.run(run())


@pytest.mark.parametrize(
    "request_",
    [
        handshake(b"Content-Length: 5"),
        handshake(b"Content-Length: 5") + b"12345",
        handshake(b"Content-Length: 99999999"),
        handshake(b"Transfer-Encoding: chunked"),
        handshake(b"Transfer-Encoding: chunked") + b"0\r\n\r\n",
        handshake(method=b"POST"),
        handshake(b"Content-Length: 2", method=b"POST") + b"{}",
    ],
)
def test_a_handshake_with_a_body_is_refused_at_once(request_: bytes) -> None:
    async def check(server: Server, application: Application) -> None:
        lane, transport = server.connect()
        lane.data_received(request_)
        (answer,) = answers(transport.written)
        assert (answer.status >= 400, answer.headers["connection"]) == (True, "close")
        assert transport.eof
        assert transport.protocol is None
        server.connections.sweep(server.lanes.now + 11)
        assert transport.aborted

    on_a_server(check)


def test_an_empty_body_that_is_declared_is_none() -> None:
    async def check(server: Server, application: Application) -> None:
        application.accepts.set()
        lane, transport = server.connect()
        lane.data_received(handshake(b"Content-Length: 0"))
        await server.settle()
        assert transport.written.startswith(b"HTTP/1.1 101")

    on_a_server(check)


@pytest.mark.parametrize("header", [b"X: " + b"x" * 9000, b"\r\n".join([b"X: y"] * 200)], ids=["long", "many"])
def test_a_handshake_that_the_library_does_not_take_is_closed(header: bytes) -> None:
    async def run() -> None:
        server = Server(Application(), max_header_bytes=32768)
        lane, transport = server.connect()
        lane.data_received(handshake(header))
        await server.settle()
        assert transport.closing
        assert transport.written.startswith(b"HTTP/1.1 431")

    asyncio.run(run())


def test_a_handshake_that_takes_too_long_is_cut_off_and_a_socket_is_not() -> None:
    async def check(server: Server, application: Application) -> None:
        lane, transport = server.connect()
        lane.data_received(handshake())
        await server.settle()
        server.connections.sweep(server.lanes.now + 9)
        assert not transport.aborted
        server.connections.sweep(server.lanes.now + 2)
        assert transport.aborted
        application.accepts.set()
        lane, other = server.connect()
        lane.data_received(handshake())
        await server.settle()
        server.connections.sweep(server.lanes.now + 1000)
        assert not other.aborted

    on_a_server(check)


async def refuse(scope: Any, receive: Any, send: Any) -> None:
    """An application that takes no socket."""
    await receive()
    await send({"type": "websocket.http.response.start", "status": 429, "headers": []})
    await send({"type": "websocket.http.response.body", "body": b"too many"})


def test_sockets_write_no_line_at_info_whether_they_are_accepted_or_refused(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)

    async def check(server: Server, application: Application) -> None:
        application.accepts.set()
        for each in (server, Server(refuse)):
            lane, transport = each.connect()
            lane.data_received(handshake())
            await each.settle()
            assert transport.written.startswith(b"HTTP/1.1 101" if each is server else b"HTTP/1.1 429")
            assert not each.state.tasks or each is server

    on_a_server(check)
    assert [record.getMessage() for record in caplog.records] == []
    caplog.set_level(logging.DEBUG)
    on_a_server(check)
    assert {"edge.websocket"} == {record.name for record in caplog.records if "WebSocket" in record.getMessage()}


def test_a_refused_socket_that_does_not_go_is_cut_off() -> None:
    async def run() -> None:
        server = Server(refuse)
        lane, transport = server.connect()
        lane.data_received(handshake())
        await server.settle()
        server.connections.sweep(server.lanes.now + 11)
        assert transport.aborted

    asyncio.run(run())


def test_what_fails_in_an_application_is_still_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def fail(scope: Any, receive: Any, send: Any) -> None:
        raise RuntimeError("broken")

    async def run() -> None:
        server = Server(fail)
        await server.speak(handshake())

    asyncio.run(run())
    assert [(record.name, record.levelname) for record in caplog.records] == [("edge.websocket", "ERROR")]


def test_a_connection_that_became_a_websocket_leaves_nothing_for_a_full_collection() -> None:
    async def check(server: Server, application: Application) -> None:
        application.accepts.set()
        lane, transport = server.connect()
        lane.data_received(handshake())
        await server.settle()
        freed = weakref.ref(lane), weakref.ref(transport.protocol)
        del lane
        assert freed[0]() is None
        transport.protocol.connection_lost(None)
        transport.protocol = None
        await server.settle()
        assert freed[1]() is None

    gc.collect()
    gc.disable()
    try:
        on_a_server(check)
    finally:
        gc.enable()


def test_frames_are_taken_in_slices_and_answers_to_pings_wait_for_the_client() -> None:
    async def check(server: Server, application: Application) -> None:
        application.accepts.set()
        lane, transport = server.connect()
        lane.data_received(handshake())
        await server.settle()
        socket, transport.written = transport.protocol, b""
        socket.data_received(PING * (READ // len(PING)))
        assert transport.reading_paused
        seen = 0
        for _ in range(10):
            assert len(transport.written) - seen <= (SHARE_STEPS + 1) * SLICE
            seen = len(transport.written)
            await asyncio.sleep(0)
        socket.pause_writing()
        seen = len(transport.written)
        await server.settle()
        assert len(transport.written) == seen
        assert transport.reading_paused
        socket.resume_writing()
        await server.settle()
        assert transport.written == b"\x8a\x00" * (READ // len(PING))
        assert not transport.reading_paused

    on_a_server(check)


def test_messages_that_nobody_takes_are_not_unpacked() -> None:
    async def check(server: Server, application: Application) -> None:
        application.takes = asyncio.Event()
        application.accepts.set()
        lane, transport = server.connect()
        lane.data_received(handshake())
        await server.settle()
        socket = transport.protocol
        count = READ // len(TEXT)
        socket.data_received(TEXT * count)
        await server.settle()
        assert socket.queue.qsize() <= SLICE // len(TEXT) + 1
        assert transport.reading_paused
        application.takes.set()
        while application.taken < count:
            await asyncio.sleep(0)
        assert not transport.reading_paused

    on_a_server(check)
