# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from replication import client
from replication.client import BadAnswer, Connection
from tests.ports import closed_port
from tests.unit.replication.raw_peer import Answer, RawPeer, http, raw_peer, until


def play(answer: Answer, scene: Callable[[RawPeer], Awaitable[None]]) -> None:
    async def run() -> None:
        async with raw_peer(answer) as peer:
            await scene(peer)

    asyncio.run(run())


def test_it_keeps_its_connection_for_the_next_request() -> None:
    async def scene(peer: RawPeer) -> None:
        connection = peer.connect()
        assert await connection.ask("POST", "/a", b"one") == (200, b"to one")
        assert await connection.ask("GET", "/b", b"", b"X-Own: 1\r\n") == (200, b"to ")
        connection.close()
        assert peer.connections == 1
        assert peer.asked == [(b"POST /a HTTP/1.1", b"one"), (b"GET /b HTTP/1.1", b"")]
        assert b"Host: 127.0.0.1:%d\r\n" % peer.port in peer.heads[0]
        assert b"X-Own: 1\r\n" in peer.heads[1]

    play(lambda line, body: http(200, b"to " + body), scene)


def test_it_sends_its_own_headers_with_each_request_and_writes_ipv6_in_brackets() -> None:
    async def scene(peer: RawPeer) -> None:
        connection = Connection(
            "127.0.0.1", peer.port, dial_seconds=60, request_seconds=60, headers=b"X-Replica-Secret: s\r\n"
        )
        await connection.ask("POST", "/")
        connection.close()
        assert b"X-Replica-Secret: s\r\n" in peer.heads[0]

    play(lambda line, body: http(200), scene)
    six = Connection("::1", 80, dial_seconds=1, request_seconds=1)
    assert six._head == b"Host: [::1]:80\r\n"


def test_it_knows_whether_the_last_answer_was_of_a_cold_peer() -> None:
    said = [b"X-Metadata-Center-Cold: 5"]

    async def scene(peer: RawPeer) -> None:
        connection = peer.connect()
        assert not connection.cold
        await connection.ask("POST", "/")
        assert connection.cold
        said[:] = [b"x-metadata-center-cold: 6"]
        await connection.ask("POST", "/")
        assert connection.cold
        said.clear()
        await connection.ask("POST", "/")
        assert not connection.cold
        connection.close()

    play(lambda line, body: http(200, b"", *said), scene)


def test_an_answer_of_another_status_is_an_answer() -> None:
    async def scene(peer: RawPeer) -> None:
        connection = peer.connect()
        assert await connection.ask("POST", "/") == (503, b"joining")
        connection.close()

    play(lambda line, body: http(503, b"joining"), scene)


def test_it_reads_chunked_answers() -> None:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"

    async def scene(peer: RawPeer) -> None:
        connection = peer.connect()
        assert await connection.ask("POST", "/") == (200, b"abcde")
        assert await connection.ask("POST", "/") == (200, b"abcde")
        connection.close()

    play(lambda line, body: chunked, scene)


def test_it_opens_anew_where_the_peer_says_that_it_closes() -> None:
    async def scene(peer: RawPeer) -> None:
        connection = peer.connect()
        await connection.ask("POST", "/")
        await connection.ask("POST", "/")
        connection.close()
        assert peer.connections == 2

    play(lambda line, body: http(200, b"x", b"Connection: close"), scene)


def test_it_opens_anew_where_the_peer_hung_up_while_idle() -> None:
    async def scene(peer: RawPeer) -> None:
        connection = peer.connect()
        await connection.ask("POST", "/")
        peer.hang_up()
        answers = connection._answers
        assert answers is not None
        await until(lambda: not answers.keep_alive)
        assert await connection.ask("POST", "/") == (200, b"x")
        assert peer.connections == 2
        connection.close()

    play(lambda line, body: http(200, b"x"), scene)


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x00\xff\xfegarbage\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
def test_garbage_is_a_bad_answer_and_the_connection_is_gone(garbage: bytes) -> None:
    async def scene(peer: RawPeer) -> None:
        connection = peer.connect()
        with pytest.raises(BadAnswer, match="no HTTP answer"):
            await connection.ask("POST", "/")
        peer.answer = lambda line, body: http(200, b"better")
        assert await connection.ask("POST", "/") == (200, b"better")
        assert peer.connections == 2
        connection.close()

    play(lambda line, body: garbage, scene)


def test_a_switch_of_protocols_is_not_followed() -> None:
    async def scene(peer: RawPeer) -> None:
        connection = peer.connect()
        assert await connection.ask("POST", "/") == (101, b"")
        peer.answer = lambda line, body: http(200, b"better")
        assert await connection.ask("POST", "/") == (200, b"better")
        assert peer.connections == 2
        connection.close()

    switch = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n\x00\x01"
    play(lambda line, body: switch, scene)


def test_an_answer_cut_off_is_a_fault() -> None:
    async def cut(line: bytes, body: bytes) -> bytes | None:
        return None

    async def scene(peer: RawPeer) -> None:
        connection = peer.connect()
        with pytest.raises(ConnectionResetError):
            await connection.ask("POST", "/")

        async def half(line: bytes, body: bytes) -> bytes | None:
            asyncio.get_running_loop().call_later(0.01, peer.hang_up)
            return b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"

        peer.answer = half
        with pytest.raises(ConnectionResetError):
            await connection.ask("POST", "/")

    play(cut, scene)


def test_an_answer_too_large_is_refused_before_it_is_all_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "MAX_ANSWER_BYTES", 1000)

    async def scene(peer: RawPeer) -> None:
        connection = peer.connect()
        with pytest.raises(BadAnswer, match="more than 1000 bytes"):
            await connection.ask("POST", "/")

    play(lambda line, body: b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n" + bytes(2000), scene)


def test_an_answer_that_does_not_come_ends_in_a_timeout() -> None:
    async def scene(peer: RawPeer) -> None:
        connection = peer.connect(request_seconds=0.02)
        with pytest.raises(TimeoutError, match=r"^no answer for 0\.02 s$"):
            await connection.ask("POST", "/")
        peer.answer = lambda line, body: http(200, b"in time")
        peer.hang_up()
        assert await peer.connect().ask("POST", "/") == (200, b"in time")

    async def never(line: bytes, body: bytes) -> bytes | None:
        await asyncio.sleep(3600)
        return None

    async def run() -> None:
        async with raw_peer(never) as peer:
            await scene(peer)
            for task in asyncio.all_tasks() - {asyncio.current_task()}:
                task.cancel()

    asyncio.run(run())


def test_answers_nobody_waits_for_do_no_harm() -> None:
    async def scene(peer: RawPeer) -> None:
        connection = peer.connect()
        assert await connection.ask("POST", "/") == (200, b"a")
        connection.close()

    play(lambda line, body: http(200, b"a") + http(200, b"b"), scene)


def test_nobody_there_is_an_os_error() -> None:
    async def run() -> None:
        with closed_port() as port:
            connection = Connection("127.0.0.1", port, dial_seconds=60, request_seconds=60)
            with pytest.raises(OSError, match=r"refused|Connect"):
                await connection.ask("POST", "/")
            connection.close()
            connection.close()

    asyncio.run(run())


def test_a_request_given_up_takes_its_connection_along() -> None:
    async def scene(peer: RawPeer) -> None:
        connection = peer.connect()
        asking = asyncio.ensure_future(connection.ask("POST", "/first"))
        await until(lambda: bool(peer.asked))
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        peer.answer = lambda line, body: http(200, b"for the second")
        assert await connection.ask("POST", "/second") == (200, b"for the second")
        connection.close()
        gate.set()

    gate = asyncio.Event()

    async def late(line: bytes, body: bytes) -> bytes | None:
        await gate.wait()
        return http(200, b"for the first")

    play(late, scene)
