# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Nothing that a client sends makes a connection hold much, or work long in one turn."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from edge.backlog import SHARE_STEPS
from edge.lane import IGNORED_BYTES, LARGE_READ
from tests.unit.edge.lanes import Server, Transport, add, answers, batch, get, page

READ = 64 * 1024  # bytes in one go; uvloop reads up to 256 KB
MOST = 4096  # `max_header_bytes` of the test server

CHUNKED = b"POST /v1/load/stats HTTP/1.1\r\nHost: n\r\nTransfer-Encoding: chunked\r\n\r\n"
CHUNKED_PAGE = CHUNKED.replace(b"/v1/load/stats", b"/page")
ENDLESS = {
    "trailers": (b"0\r\n", b"A: b\r\n"),
    "one trailer": (b"0\r\nA: ", b"b"),
    "a trailer's name": (b"0\r\n", b"a"),
    "chunk extensions": (b"1;", b"a=b;"),
    "extensions of the last chunk": (b"0;", b"a"),
    "chunk size digits": (b"", b"0"),
}


def on_a_server(check: Callable[[Server], Awaitable[None]]) -> None:
    async def run() -> None:
        server = Server()
        await check(server)
        await server.settle()
        assert not server.state.tasks

    asyncio.run(run())


async def pour(server: Server, begin: bytes, more: bytes, size: int) -> tuple[Transport, int]:
    """Send `more` without end, `size` bytes in a read. Returns the transport, and how much was read before the end."""
    lane, transport = server.connect()
    lane.data_received(begin)
    sent = 0
    piece = more * max(1, size // len(more))
    while not transport.eof and not transport.closing:
        assert sent < 20 * MOST + 2 * READ, "it reads on and on"
        if not transport.reading_paused:
            lane.data_received(piece)
            sent += len(piece)
        if transport.reading_paused:
            await server.settle()
    return transport, sent


@pytest.mark.no_cover
@pytest.mark.parametrize("head", [CHUNKED, CHUNKED_PAGE], ids=["hot", "page"])
@pytest.mark.parametrize("size", [1, 100, READ])
@pytest.mark.parametrize("name", ENDLESS)
def test_what_a_chunked_body_has_around_it_counts_with_the_head(head: bytes, name: str, size: int) -> None:
    async def check(server: Server) -> None:
        begin, more = ENDLESS[name]
        transport, sent = await pour(server, head + begin, more, size)
        (answer,) = answers(transport.written)
        assert (answer.status, answer.code) == (431, 43101000)
        assert transport.eof
        assert sent <= MOST + size

    on_a_server(check)


@pytest.mark.parametrize(("blank", "status"), [(b"\r\n", 431), (b"\n", 431), (b"\r\n\r\n", 431)])
def test_blank_lines_before_a_request_count_too(blank: bytes, status: int) -> None:
    async def check(server: Server) -> None:
        for size in (1, READ):
            transport, sent = await pour(server, b"", blank, size)
            (answer,) = answers(transport.written)
            assert answer.status == status
            assert sent <= MOST + max(size, len(blank))
        transport = await server.speak(blank + get(), blank, get(), get())
        assert [answer.status for answer in answers(transport.written)] == [200] * 3

    on_a_server(check)


@pytest.mark.parametrize("trailer", [MOST - 200, MOST])
def test_head_and_trailers_have_one_bound_together(trailer: int) -> None:
    async def check(server: Server) -> None:
        for head in (CHUNKED, CHUNKED_PAGE):
            request = head + b"0\r\nA: " + b"b" * trailer + b"\r\n\r\n"
            for size in (len(request), 50):
                transport = await server.speak(*[request[at : at + size] for at in range(0, len(request), size)])
                (answer,) = answers(transport.written)
                assert (answer.status == 431) == (trailer == MOST)

    on_a_server(check)


@pytest.mark.no_cover
def test_the_bound_is_on_each_request_and_a_body_does_not_count() -> None:
    async def check(server: Server) -> None:
        body = b'{"cluster":"c","request_id":"r","ip":"10.0.0.1"}' + b" " * 1500
        chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\nA: b\r\n\r\n"
        assert len(chunks) > MOST
        request = CHUNKED + chunks
        for size in (len(request), 1, 5, 777):
            pieces = [request[at : at + size] for at in range(0, len(request), size)] * 3
            lane, transport = server.connect()
            for piece in pieces:
                lane.data_received(piece)
            await server.settle()
            assert [answer.status for answer in answers(transport.written)] == [200] * 3

    on_a_server(check)


def test_a_trailer_is_no_header() -> None:
    async def check(server: Server) -> None:
        lane, transport = server.connect()
        lane.data_received(CHUNKED_PAGE + b"0\r\nX-Forged: yes\r\n\r\n")
        assert all(name != b"X-Forged" for name, _ in lane.cycle.scope["headers"])
        await server.settle()
        assert answers(transport.written)[0].status == 200

    on_a_server(check)


def test_after_a_refusal_only_so_much_is_ignored() -> None:
    async def check(server: Server) -> None:
        lane, transport = server.connect()
        lane.data_received(b"nonsense\r\n\r\n")
        assert transport.eof
        for _ in range(IGNORED_BYTES // 1000):
            lane.data_received(b"x" * 1000)
        assert not transport.aborted
        lane.data_received(b"x" * 1000)
        assert transport.aborted
        assert len(answers(transport.written)) == 1

    on_a_server(check)


def test_a_turn_serves_a_few_requests_of_a_connection_and_reads_no_more_meanwhile() -> None:
    async def check(server: Server) -> None:
        lane, transport = server.connect()
        count = READ // len(get())
        lane.data_received(get() * count)
        done = 0
        while done < count:
            now = transport.written.count(b"HTTP/1.1 200")
            assert now - done <= SHARE_STEPS
            done = now
            assert transport.reading_paused == (done < count)
            await asyncio.sleep(0)
        lane.data_received(get())
        assert len(answers(transport.written)) == count + 1

    on_a_server(check)


SLOW = page(b"/slow")
LARGE = batch([{"op": "add", "cluster": "c", "request_id": f"r{n}", "ip": "10.0.0.1"} for n in range(20)])


@pytest.mark.parametrize("behind", [get(), add(1), page(b"/nope"), SLOW, LARGE], ids=range(5))
def test_behind_a_page_nothing_is_parsed_and_nothing_more_is_read(behind: bytes) -> None:
    async def check(server: Server) -> None:
        lane, transport = server.connect()
        lane.data_received(SLOW + behind * (READ // len(behind)))
        await server.settle()
        assert len(server.state.tasks) == 1
        assert not lane.pipeline
        assert transport.reading_paused
        assert len(server.lanes.backlog) == 0  # it waits for the answer, not for a turn
        assert transport.written == b""
        lane.connection_lost(ConnectionResetError())
        server.pages.release.set()

    on_a_server(check)


@pytest.mark.parametrize("request_", [get(), page(b"/nope"), LARGE], ids=["hot", "page", "asgi"])
def test_a_client_that_does_not_read_gets_one_answer_more_at_most(request_: bytes) -> None:
    async def check(server: Server) -> None:
        lane, transport = server.connect()
        write = transport.write

        def write_and_stand_still(data: bytes) -> None:
            write(data)
            lane.pause_writing()

        transport.write = write_and_stand_still  # type: ignore[method-assign]
        sent = 0
        while not transport.reading_paused:
            lane.data_received(request_ * 10)
            sent += 10
            await server.settle()
        assert transport.written.count(b"HTTP/1.1 ") == 1
        assert sent == 10
        transport.write = write  # type: ignore[method-assign]
        lane.resume_writing()
        await server.settle()
        assert transport.written.count(b"HTTP/1.1 ") == sent
        assert not transport.reading_paused

    on_a_server(check)


def test_a_client_that_ends_after_many_requests_gets_all_answers() -> None:
    async def check(server: Server) -> None:
        lane, transport = server.connect()
        lane.data_received((get() * 20 + page(b"/page")) * 5)
        assert lane.eof_received()
        assert not transport.closing
        await server.settle()
        assert len(answers(transport.written)) == 105
        assert transport.closing

    on_a_server(check)


def test_a_waiting_request_has_its_time_from_when_it_is_read() -> None:
    async def check(server: Server) -> None:
        lane, transport = server.connect()
        lane.data_received(SLOW + add(1)[:-3])
        await server.settle()
        server.connections.sweep(server.lanes.now + 1000)
        assert not transport.closing
        server.pages.release.set()
        await server.settle()
        server.connections.sweep(server.lanes.now + 9)
        assert not transport.eof
        server.connections.sweep(server.lanes.now + 2)
        assert answers(transport.written)[1].status == 408
        lane.connection_lost(None)

    on_a_server(check)


@pytest.mark.parametrize("refused", [False, True])
def test_a_socket_that_is_full_is_read_once_in_a_turn(refused: bool) -> None:
    async def check(server: Server) -> None:
        lane, transport = server.connect()
        begin = b"nonsense\r\n\r\n" if refused else page(b"/page", body=b"x" * 2 * LARGE_READ)[: -2 * LARGE_READ]
        lane.data_received(begin)
        assert not transport.reading_paused
        for _ in range(2):
            lane.data_received(b"x" * LARGE_READ)
            assert transport.reading_paused
            await server.settle()
            assert not transport.reading_paused
        assert answers(transport.written)[0].status == (400 if refused else 200)

    async def run() -> None:
        await check(Server(max_body_bytes=1 << 20))

    asyncio.run(run())
