# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The lane as an HTTP server, on raw bytes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.unit.edge.lanes import Server, add, answers, batch, get, page, post, until
from tests.unit.partial_node import FakeAccess

Check = Callable[[Server], Awaitable[None]]


def on_a_server(check: Check, **limits: Any) -> None:
    async def run() -> None:
        await check(Server(**limits))

    asyncio.run(run())


def asynchronous(check: Check) -> Callable[[], None]:
    def test() -> None:
        on_a_server(check)

    test.__name__ = check.__name__
    return test


@asynchronous
async def test_it_answers_a_hot_request_without_a_task(server: Server) -> None:
    lane, transport = server.connect()
    lane.data_received(add(1))
    assert not server.state.tasks
    (answer,) = answers(transport.written)
    assert (answer.status, answer.data) == (200, None)
    assert not transport.closing
    assert server.ledger.rows("c")[0].prompt_length == 1


@asynchronous
async def test_a_known_head_is_not_parsed_again(server: Server) -> None:
    lane, transport = server.connect()
    lane.data_received(add(1))
    assert len(server.lanes.heads) == 1
    lane.parser = None  # type: ignore[assignment] # would raise if it were used
    lane.data_received(add(2))
    assert [answer.status for answer in answers(transport.written)] == [200, 200]
    assert len(server.ledger.rows("c")) == 2


@asynchronous
async def test_a_known_head_with_another_trace_id_keeps_it(server: Server) -> None:
    transport = await server.speak(add(1, b"TraceId: one"), add(2, b"TraceId: two"), add(3, b"Traceid: "), add(4))
    got = [answer.headers["x-trace-id"] for answer in answers(transport.written)]
    assert got[:2] == ["one", "two"]
    assert len(got[2]) == len(got[3]) == 36
    assert got[2] != got[3]
    assert len(server.lanes.heads) == 1


@asynchronous
async def test_an_odd_trace_id_is_echoed_as_json(server: Server) -> None:
    transport = await server.speak(add(1, b'TraceId: a"\\\xff b'))
    (answer,) = answers(transport.written)
    assert answer.headers["x-trace-id"] == 'a"\\\xff b'
    assert b'"trace_id":"a\\"\\\\' in answer.body


@asynchronous
async def test_a_folded_line_never_hides_behind_a_known_head(server: Server) -> None:
    folded = add(1).replace(b"Host: node\r\n", b"Host: node\r\nTraceId: x\r\n y\r\n")
    await server.speak(folded)
    assert len(server.lanes.heads) == 0


@asynchronous
async def test_a_head_is_learnt_only_from_a_request_of_one_read(server: Server) -> None:
    request = add(1)
    for cut in range(1, len(request)):
        await server.speak(request[:cut], request[cut:])
        assert len(server.lanes.heads) == 0
    assert server.ledger.counts().added == 1


@asynchronous
async def test_the_table_of_heads_is_bounded(server: Server) -> None:
    lane, _ = server.connect()
    for number in range(5000):
        lane.data_received(get(b"c%d" % number))
    assert 0 < len(server.lanes.heads) <= 4096
    before = len(server.lanes.heads)
    lane.data_received(get(b"c", b"X: " + b"x" * 3000))
    assert len(server.lanes.heads) == before


@asynchronous
async def test_pipelined_requests_are_answered_in_order(server: Server) -> None:
    transport = await server.speak(add(1) + add(2) + get() + get(b"nope"))
    found = answers(transport.written)
    assert [answer.status for answer in found] == [200] * 4
    assert len(found[2].data) == 2
    assert found[3].data is None


@asynchronous
async def test_hot_requests_wait_behind_djangos(server: Server) -> None:
    lane, transport = server.connect()
    lane.data_received(add(1) + page(b"/slow", body=b"x") + get() + page(b"/other") + add(2))
    await server.settle()
    assert len(answers(transport.written)) == 1
    lane.data_received(get(b"late"))
    server.pages.release.set()
    await server.settle()
    found = answers(transport.written)
    assert [answer.body[:4] for answer in found] == [b'{"st', b"page", b'{"st', b"page", b'{"st', b'{"st']
    assert found[1].body == b"page POST /slow x"
    lane.data_received(add(3))
    assert len(answers(transport.written)) == 7


@asynchronous
async def test_connection_close_ends_the_connection_after_the_answer(server: Server) -> None:
    transport = await server.speak(add(1, b"Connection: close") + add(2))
    (answer,) = answers(transport.written)
    assert answer.headers["connection"] == "close"
    assert transport.closing
    assert len(server.ledger.rows("c")) == 1


@asynchronous
async def test_http_1_0_closes_unless_it_asks_to_keep(server: Server) -> None:
    request = b"GET /v1/load/stats?cluster=c HTTP/1.0\r\n\r\n"
    transport = await server.speak(request)
    assert transport.closing
    assert answers(transport.written)[0].headers["connection"] == "close"
    kept = request.replace(b"\r\n\r\n", b"\r\nConnection: keep-alive\r\n\r\n")
    transport = await server.speak(kept, kept)
    assert not transport.closing
    assert [answer.headers["connection"] for answer in answers(transport.written)] == ["keep-alive"] * 2


@asynchronous
async def test_chunked_bodies_are_joined(server: Server) -> None:
    body = b'{"cluster":"c","request_id":"r","ip":"10.0.0.1"}'
    chunks = b"%x\r\n%b\r\n%x\r\n%b\r\n0\r\n\r\n" % (10, body[:10], len(body) - 10, body[10:])
    head = b"POST /v1/load/stats HTTP/1.1\r\nHost: node\r\nTransfer-Encoding: chunked\r\n\r\n"
    transport = await server.speak(head + chunks, head + chunks[:20], chunks[20:])
    assert [answer.status for answer in answers(transport.written)] == [200, 200]
    assert server.ledger.counts().added == 1


@asynchronous
async def test_expect_100_continue_is_answered_before_the_body(server: Server) -> None:
    lane, transport = server.connect()
    request = add(1, b"Expect: 100-continue")
    cut = request.index(b"\r\n\r\n") + 4
    lane.data_received(request[:cut])
    assert transport.written == b"HTTP/1.1 100 Continue\r\n\r\n"
    lane.data_received(request[cut:])
    assert [answer.status for answer in answers(transport.written)] == [100, 200]
    assert len(server.lanes.heads) == 0


@asynchronous
async def test_expect_100_continue_with_a_body_that_is_too_large_is_refused_at_once(server: Server) -> None:
    transport = await server.speak(
        b"POST /v1/load/stats HTTP/1.1\r\nHost: n\r\nContent-Length: 9999\r\nExpect: 100-continue\r\n\r\n"
    )
    (answer,) = answers(transport.written)
    assert (answer.status, answer.code) == (413, 41301000)
    assert transport.eof


@pytest.mark.parametrize("path", [b"/v1/load/stats", b"/page"])
def test_a_body_over_the_limit_is_refused_whatever_it_said(path: bytes) -> None:
    async def check(server: Server) -> None:
        head = b"POST " + path + b" HTTP/1.1\r\nHost: n\r\nTransfer-Encoding: chunked\r\n\r\n"
        transport = await server.speak(head, *[b"100\r\n" + b"x" * 256 + b"\r\n"] * 20)
        (answer,) = answers(transport.written)
        assert (answer.status, answer.code) == (413, 41301000)
        assert transport.eof
        await server.settle()
        assert not server.state.tasks
        assert server.pages.seen == []

    on_a_server(check)


@asynchronous
async def test_a_head_over_the_limit_is_refused_in_one_piece_and_in_many(server: Server) -> None:
    for pieces in ([get(b"c", b"X: " + b"x" * 5000)], [get()[:-2], *[b"X: " + b"x" * 500 + b"\r\n"] * 10]):
        transport = await server.speak(*pieces)
        (answer,) = answers(transport.written)
        assert (answer.status, answer.code) == (431, 43101000)
        assert transport.eof


@asynchronous
async def test_what_came_before_a_head_does_not_count_as_part_of_it(server: Server) -> None:
    whole = get() * 200  # far over the limit on one head
    transport = await server.speak(whole + get()[:-9], get()[-9:])
    assert [answer.status for answer in answers(transport.written)] == [200] * 201


@asynchronous
async def test_a_header_that_never_ends_is_cut_off(server: Server) -> None:
    transport = await server.speak(get()[:-4] + b"\r\nX: ", *[b"x" * 500] * 10)
    (answer,) = answers(transport.written)
    assert answer.status == 431


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"nonsense\r\n\r\n",
        b"GET /v1/load/stats?cluster=c HTTP/9.9\r\nHost: n\r\n\r\n",
        b"GET /v1/load/stats?cluster=c HTTP/1.1\r\n\r\n",
        b"GET /v1/load/stats?cluster=c HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"POST /v1/load/stats HTTP/1.1\r\nHost: n\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}",
        b"POST /v1/load/stats HTTP/1.1\r\nHost: n\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        b"POST /v1/load/stats HTTP/1.1\r\nHost: n\r\nContent-Length: -1\r\n\r\n{}",
        b"POST /v1/load/stats HTTP/1.1\r\nHost: n\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET /v1/load/stats?cluster=c HTTP/1.1\r\nHost : n\r\n\r\n",
    ],
)
def test_malformed_http_gets_one_clear_answer(request_bytes: bytes) -> None:
    async def check(server: Server) -> None:
        transport = await server.speak(request_bytes, b"more")
        (answer,) = answers(transport.written)
        assert (answer.status, answer.code) == (400, 40001400)
        assert answer.headers["connection"] == "close"
        assert transport.eof

    on_a_server(check)


@asynchronous
async def test_malformed_http_behind_djangos_answer_waits_its_turn(server: Server) -> None:
    lane, transport = server.connect()
    lane.data_received(page(b"/slow") + b"nonsense\r\n\r\n")
    await server.settle()
    assert transport.written == b""
    server.pages.release.set()
    await server.settle()
    assert [answer.status for answer in answers(transport.written)] == [200, 400]
    assert transport.eof


@asynchronous
async def test_connect_is_refused(server: Server) -> None:
    transport = await server.speak(b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n")
    assert [answer.status for answer in answers(transport.written)] == [405]


H2C = (b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA")


@asynchronous
async def test_an_offer_of_h2c_is_answered_as_http_1_1_with_its_body(server: Server) -> None:
    transport = await server.speak(add(1, *H2C), page(b"/page", *H2C, body=b"body"), add(2))
    found = answers(transport.written)
    assert [answer.status for answer in found] == [200] * 3
    assert found[1].body == b"page POST /page body"
    assert len(server.ledger.rows("c")) == 2


@asynchronous
async def test_an_offer_of_h2c_may_come_in_pieces_chunked_pipelined_and_behind_django(server: Server) -> None:
    body = b'{"cluster":"c","request_id":"r9","ip":"10.0.0.9"}'
    chunked = b"\r\n".join([b"POST /v1/load/stats HTTP/1.1", b"Host: n", *H2C, b"Transfer-Encoding: chunked"])
    chunked += b"\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    stream = page(b"/page") + add(1, *H2C) + chunked + page(b"/page", *H2C, body=b"b") + get(b"c", *H2C)
    for size in (len(stream), 7, 50):
        pieces = [stream[at : at + size] for at in range(0, len(stream), size)]
        transport = await server.speak(*pieces)
        found = answers(transport.written)
        assert [answer.status for answer in found] == [200] * 5
        assert len(found[4].data) == 2
        assert found[3].body == b"page POST /page b"


@pytest.mark.no_cover
@asynchronous
async def test_a_read_full_of_offers_is_answered_like_any_other(server: Server) -> None:
    transport = await server.speak(get(b"c", *H2C) * 3000)
    assert [answer.status for answer in answers(transport.written)] == [200] * 3000


@asynchronous
async def test_a_declined_offer_keeps_connection_close(server: Server) -> None:
    transport = await server.speak(add(1, b"Connection: close, Upgrade", b"Upgrade: h2c"))
    assert answers(transport.written)[0].headers["connection"] == "close"
    assert transport.closing


@asynchronous
async def test_a_websocket_goes_to_uvicorn(server: Server) -> None:
    key = (b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", b"Sec-WebSocket-Version: 13")
    request = b"GET /ws HTTP/1.1\r\nHost: n\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" + b"\r\n".join(key)
    lane, transport = server.connect()
    lane.data_received(request + b"\r\n\r\n")
    assert transport.protocol is not None
    for task in list(server.state.tasks):
        task.cancel()
    await server.settle()


@asynchronous
async def test_a_browser_gets_djangos_page_on_the_same_path(server: Server) -> None:
    transport = await server.speak(get(b"c", b"Accept: text/html,*/*"))
    assert answers(transport.written)[0].body.startswith(b"page GET /v1/load/stats")


@pytest.mark.parametrize("method", [b"HEAD", b"OPTIONS", b"PUT", b"PATCH"])
def test_other_methods_are_djangos(method: bytes) -> None:
    async def check(server: Server) -> None:
        await server.speak(post(b"", method=method))
        assert server.pages.seen == [(method.decode(), "/v1/load/stats", b"")]

    on_a_server(check)


@asynchronous
async def test_clusters_are_percent_decoded(server: Server) -> None:
    body = '{"cluster":"a b/ü","request_id":"r","ip":"::1"}'.encode()
    transport = await server.speak(post(body), get(b"a%20b%2F%C3%BC"), get(b"a+b%2f%c3%bc"), get(b"%ff"), get(b"%4"))
    found = answers(transport.written)
    assert [answer.status for answer in found] == [200, 200, 200, 400, 400]
    assert found[1].data[0]["ip"] == found[2].data[0]["ip"] == "::1"


@asynchronous
async def test_an_encoded_path_reaches_the_same_handler(server: Server) -> None:
    transport = await server.speak(add(1).replace(b"/v1/load/stats", b"/v1/load/st%61ts"))
    assert answers(transport.written)[0].data is None
    assert len(server.ledger.rows("c")) == 1


@asynchronous
async def test_a_slow_request_is_told_and_closed(server: Server) -> None:
    for begun in (add(1)[:10], add(1)[:-5], page(b"/page", body=b"12345")[:-2]):
        lane, transport = server.connect()
        lane.data_received(begun)
        await server.settle()
        server.connections.sweep(server.lanes.now + 9)
        assert transport.written == b""
        server.connections.sweep(server.lanes.now + 2)
        (answer,) = answers(transport.written)
        assert (answer.status, answer.code) == (408, 40801000)
        assert transport.eof
        server.connections.sweep(server.lanes.now + 11)
        assert transport.aborted
        lane.connection_lost(None)
        await server.settle()
        assert not server.state.tasks
    assert not server.state.connections


@asynchronous
async def test_a_byte_a_second_does_not_buy_time(server: Server) -> None:
    lane, transport = server.connect()
    for byte in add(1)[:12]:
        server.connections.sweep(server.lanes.now + 1)
        lane.data_received(bytes([byte]))
    assert answers(transport.written)[0].status == 408


@asynchronous
async def test_an_idle_connection_is_closed_in_time_and_a_used_one_is_not(server: Server) -> None:
    lane, transport = server.connect()
    server.connections.sweep(server.lanes.now + 59)
    lane.data_received(add(1))
    server.connections.sweep(server.lanes.now + 59)
    assert not transport.closing
    server.connections.sweep(server.lanes.now + 2)
    assert transport.closing


@asynchronous
async def test_a_page_that_takes_long_is_not_timed_out(server: Server) -> None:
    lane, transport = server.connect()
    lane.data_received(page(b"/slow"))
    await server.settle()
    server.connections.sweep(server.lanes.now + 1000)
    assert not transport.closing
    server.pages.release.set()
    await server.settle()
    assert answers(transport.written)[0].status == 200
    server.connections.sweep(server.lanes.now + 61)
    assert transport.closing


@asynchronous
async def test_answers_wait_for_a_client_that_does_not_read(server: Server) -> None:
    lane, transport = server.connect()
    lane.pause_writing()
    for _ in range(2):
        lane.data_received(get() * 5)
        await server.settle()
    assert transport.written == b""
    assert transport.reading_paused
    lane.resume_writing()
    await server.settle()
    assert len(answers(transport.written)) == 10
    lane.data_received(get())
    assert len(answers(transport.written)) == 11


@asynchronous
async def test_a_client_that_stops_reading_in_the_middle_of_a_request_still_gets_it_answered_in_order(
    server: Server,
) -> None:
    lane, transport = server.connect()
    request = add(1)
    lane.data_received(request[:-5])
    lane.pause_writing()
    lane.data_received(request[-5:] + get())
    await server.settle()
    assert transport.written == b""
    lane.resume_writing()
    await server.settle()
    assert len(answers(transport.written)[1].data) == 1


@asynchronous
async def test_a_client_that_never_reads_is_cut_off(server: Server) -> None:
    lane, transport = server.connect()
    lane.pause_writing()
    lane.data_received(get())
    server.connections.sweep(server.lanes.now + 31)
    assert transport.aborted
    lane.connection_lost(None)
    await server.settle()
    assert not server.state.tasks
    assert not server.state.connections


@asynchronous
async def test_a_client_that_vanishes_leaves_nothing_behind(server: Server) -> None:
    for begun in (add(1)[:30], add(1)[:-3], page(b"/slow"), page(b"/slow") + add(2) + page(b"/x")[:-2]):
        lane, _ = server.connect()
        lane.data_received(begun)
        await server.settle()
        lane.connection_lost(ConnectionResetError())
    server.pages.release.set()
    await server.settle()
    assert not server.state.tasks
    assert not server.state.connections


@asynchronous
async def test_a_half_closed_client_still_gets_djangos_answer(server: Server) -> None:
    lane, transport = server.connect()
    lane.data_received(page(b"/slow"))
    await server.settle()
    assert lane.eof_received()
    server.pages.release.set()
    await server.settle()
    assert answers(transport.written)[0].status == 200
    assert transport.closing
    lane, _ = server.connect()
    lane.data_received(add(1)[:20])
    assert not lane.eof_received()


@asynchronous
async def test_a_draining_server_asks_for_the_connection_back(server: Server) -> None:
    lane, transport = server.connect()
    lane.data_received(add(1))
    server.lanes.draining = True
    lane.data_received(add(2))
    assert [answer.headers.get("connection") for answer in answers(transport.written)] == [None, "close"]
    assert transport.closing


@asynchronous
async def test_shutdown_waits_for_a_request_that_is_coming_in(server: Server) -> None:
    idle, idle_transport = server.connect()
    idle.data_received(add(1))
    idle.shutdown()
    assert idle_transport.closing
    lane, transport = server.connect()
    request = add(2)
    lane.data_received(request[:-3])
    server.lanes.draining = True
    lane.shutdown()
    assert not transport.closing
    lane.data_received(request[-3:])
    assert answers(transport.written)[0].status == 200
    assert transport.closing


@asynchronous
async def test_a_handler_that_breaks_costs_its_own_request_only(server: Server) -> None:
    server.ledger.add = lambda *_: 1 / 0  # type: ignore[assignment, method-assign]
    transport = await server.speak(add(1), get())
    first, second = answers(transport.written)
    assert (first.status, first.code) == (500, 50001000)
    assert b"ZeroDivision" not in first.body
    assert second.status == 200


@asynchronous
async def test_answers_carry_the_date_that_was_set(server: Server) -> None:
    server.lanes.date(b"Mon, 23 Nov 2026 12:00:00 GMT")
    transport = await server.speak(get())
    assert answers(transport.written)[0].headers["date"] == "Mon, 23 Nov 2026 12:00:00 GMT"


def ask(*headers: bytes, query: bytes = b"", method: bytes = b"GET") -> bytes:
    return post(b"", *headers, path=b"/v1/load/stats?cluster=c" + query, method=method)


@asynchronous
async def test_an_answer_is_named_and_not_sent_again_while_it_stands(server: Server) -> None:
    lane, transport = server.connect()
    lane.data_received(add(1) + get())
    etag = answers(transport.written)[1].headers["etag"]
    assert etag == 'W/"life-1-1"'
    transport.written = b""
    for _ in range(2):  # the second one's head is known
        lane.data_received(get(b"c", b"If-None-Match: " + etag.encode()))
    unchanged, again = answers(transport.written)
    assert (unchanged.status, unchanged.body, again.status) == (304, b"", 304)
    assert unchanged.headers["etag"] == etag
    assert unchanged.headers["x-trace-id"] != again.headers["x-trace-id"]
    assert not {"content-type", "content-length", "transfer-encoding"} & set(unchanged.headers)
    transport.written = b""
    lane.data_received(add(2))
    lane.data_received(get(b"c", b"If-None-Match: " + etag.encode()))
    changed = answers(transport.written)[1]
    assert (changed.status, len(changed.data)) == (200, 2)
    assert changed.headers["etag"] == 'W/"life-1-2"'
    assert not server.state.tasks


@pytest.mark.parametrize("known", [b'W/"other-1-1", W/"life-1-1"', b'"life-1-1"', b"*"])
def test_it_knows_its_tag_in_any_form(known: bytes) -> None:
    async def check(server: Server) -> None:
        transport = await server.speak(add(1), get(), get(b"c", b"If-None-Match: " + known))
        assert [answer.status for answer in answers(transport.written)] == [200, 200, 304]

    on_a_server(check)


@asynchronous
async def test_a_cluster_that_nobody_used_has_a_tag_too(server: Server) -> None:
    transport = await server.speak(get(), get(b"c", b'If-None-Match: W/"life-0"'), add(1))
    found = answers(transport.written)
    assert [answer.status for answer in found] == [200, 304, 200]
    assert found[0].headers["etag"] == 'W/"life-0"'
    assert "etag" not in found[2].headers


@asynchronous
async def test_an_answer_without_a_body_may_be_a_connections_last(server: Server) -> None:
    lane, transport = server.connect()
    lane.data_received(get(b"c", b"If-None-Match: *", b"Connection: close"))
    (answer,) = answers(transport.written)
    assert (answer.status, answer.headers["connection"]) == (304, "close")
    assert transport.closing


@asynchronous
async def test_a_call_may_wait_for_a_change_while_others_are_served(server: Server) -> None:
    waiting, told = server.connect()
    waiting.data_received(ask(query=b"&wait=60"))
    await server.settle()
    assert (told.written, server.waits.waiting) == (b"", 1)
    await server.speak(add(1))
    await until(lambda: told.written)
    (answer,) = answers(told.written)
    assert (answer.status, len(answer.data)) == (200, 1)
    assert answer.headers["etag"] == 'W/"life-1-1"'
    assert server.waits.waiting == 0
    assert len(server.lanes.heads) == 1  # the add's: what waits is not learnt


@asynchronous
async def test_a_call_that_knows_an_old_answer_does_not_wait(server: Server) -> None:
    transport = await server.speak(add(1), get(), ask(b'If-None-Match: W/"life-0"', query=b"&wait=60"))
    assert [answer.status for answer in answers(transport.written)] == [200] * 3


@asynchronous
async def test_when_the_time_is_over_a_call_is_answered_as_things_are(server: Server) -> None:
    lane, transport = server.connect()
    lane.data_received(add(1))
    lane.data_received(ask(query=b"&wait=0.2") + ask(b"If-None-Match: *", query=b"&w%61it=2e-1"))
    await until(lambda: transport.written.count(b"HTTP/1.1") == 3)
    found = answers(transport.written)
    assert [answer.status for answer in found] == [200, 200, 304]
    assert found[2].headers["etag"] == found[1].headers["etag"]
    assert not {"content-type", "content-length", "transfer-encoding"} & set(found[2].headers)
    meter = server.dispatcher.table.find(b"GET", b"/v1/load/stats").meter  # type: ignore[union-attr]
    assert meter.statuses == {200: 1, 304: 1}
    assert meter.sum_ns < 200_000_000  # what it only waited is not counted


@pytest.mark.parametrize("wait", [b"0", b"-1", b"60.5", b"nan", b"5s", b"%ff"])
def test_a_time_that_is_none_is_refused_by_name(wait: bytes) -> None:
    async def check(server: Server) -> None:
        transport = await server.speak(ask(query=b"&wait=" + wait))
        (answer,) = answers(transport.written)
        assert (answer.status, answer.code) == (400, 40001400)
        assert b'"reason":"wait: expected' in answer.body

    on_a_server(check)


@asynchronous
async def test_only_so_many_calls_may_wait(server: Server) -> None:
    for _ in range(3):
        lane, _ = server.connect()
        lane.data_received(ask(query=b"&wait=60"))
    await server.settle()
    transport = await server.speak(ask(query=b"&wait=60"))
    (answer,) = answers(transport.written)
    assert (answer.status, answer.code) == (429, 42901000)
    server.waits.end()
    await server.settle()
    assert not server.state.tasks


@asynchronous
async def test_a_client_that_leaves_waits_no_more(server: Server) -> None:
    lane, transport = server.connect()
    lane.data_received(ask(query=b"&wait=60"))
    await server.settle()
    assert server.waits.waiting == 1
    assert not lane.eof_received()  # the transport closes
    lane.connection_lost(None)
    await server.settle()
    assert server.waits.waiting == 0
    assert not server.state.tasks
    assert transport.written == b""


@asynchronous
async def test_a_client_that_sends_no_more_after_another_request_is_still_answered(server: Server) -> None:
    lane, transport = server.connect()
    lane.data_received(ask(query=b"&wait=60") + get())
    await server.settle()
    assert lane.eof_received()
    server.waits.end()
    await server.settle()
    assert [answer.status for answer in answers(transport.written)] == [200, 200]
    assert transport.closing


@asynchronous
async def test_a_draining_server_lets_nobody_wait_and_asks_for_the_connection_back(server: Server) -> None:
    lane, transport = server.connect()
    lane.data_received(ask(query=b"&wait=60"))
    _, idle_transport = server.connect()
    await server.settle()
    server.connections.drain()
    server.waits.end()
    await server.settle()
    late = await server.speak(ask(query=b"&wait=60"))
    for written in (transport, late):
        (answer,) = answers(written.written)
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        assert written.closing
    assert not idle_transport.closing


def test_a_small_batch_is_answered_at_once_and_a_large_one_in_turns() -> None:
    async def check(server: Server) -> None:
        ops = [{"op": "add", "cluster": "c", "request_id": f"r{number}", "ip": "10.0.0.1"} for number in range(900)]
        lane, transport = server.connect()
        lane.data_received(batch(ops[:10]))
        assert answers(transport.written)[0].data == [{"code": 200}] * 10
        lane.data_received(batch(ops))
        begun = 0
        while begun <= 10:
            await asyncio.sleep(0)
            begun = server.ledger.counts().in_flight
        assert begun < 900
        lane.connection_lost(None)  # what was begun is finished all the same
        await server.settle()
        assert server.ledger.counts().in_flight == 900

    on_a_server(check, max_body_bytes=1 << 20)


def test_a_batch_of_unknown_size_is_taken_in_turns() -> None:
    async def check(server: Server) -> None:
        body = b'{"ops":[{"op":"delete","request_id":"r"}]}'
        head = b"POST /v1/load/batch HTTP/1.1\r\nHost: node\r\nTransfer-Encoding: chunked\r\n\r\n"
        lane, transport = server.connect()
        lane.data_received(head + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body))
        assert transport.written == b""
        await server.settle()
        assert answers(transport.written)[0].data == [{"code": 200}]

    on_a_server(check, max_body_bytes=1 << 20)


@asynchronous
async def test_a_patient_handler_that_breaks_costs_its_own_request_only(server: Server) -> None:
    server.ledger.drop = lambda *_: 1 / 0  # type: ignore[assignment, method-assign]
    drop = post(b'{"cluster":"c","ip":"10.0.0.1"}', path=b"/v1/load/engine", method=b"DELETE")
    transport = await server.speak(drop, get())
    first, second = answers(transport.written)
    assert (first.status, first.code) == (500, 50001000)
    assert b"ZeroDivision" not in first.body
    assert second.status == 200


# A node that began with nothing


@asynchronous
async def test_every_answer_of_a_cold_node_says_for_how_long_it_has_been_cold(server: Server) -> None:
    server.cold = 7
    server.lanes.check_cold()
    server.lanes.date(b"Sat, 28 Nov 2026 09:00:00 GMT")
    transport = await server.speak(add(1), add(2), post(b"no"), get(), b"no HTTP at all\r\n\r\n")
    found = answers(transport.written)
    assert [answer.status for answer in found] == [200, 200, 400, 200, 400]
    last = answers((await server.speak(get(b"c", b"Connection: close"))).written)
    assert {answer.headers["x-metadata-center-cold"] for answer in found + last} == {"7"}
    unchanged = await server.speak(get(b"c", b"If-None-Match: " + found[3].headers["etag"].encode()))
    (answer,) = answers(unchanged.written)
    assert (answer.status, answer.headers["x-metadata-center-cold"]) == (304, "7")


@asynchronous
async def test_a_node_that_is_not_cold_sends_no_byte_more(server: Server) -> None:
    before = await server.speak(add(1, b"TraceId: t"))
    server.cold = 8
    server.lanes.check_cold()
    cold = await server.speak(add(1, b"TraceId: t"))
    assert len(cold.written) == len(before.written) + len(b"X-Metadata-Center-Cold: 8\r\n")
    server.cold = 0
    server.lanes.check_cold()
    after = await server.speak(add(1, b"TraceId: t"))
    assert after.written == before.written


@asynchronous
async def test_what_is_refused_is_logged_with_its_reason_and_its_client(server: Server) -> None:
    server.dispatcher.access = access = FakeAccess()
    bad = post(b'{"cluster":"c","request_id":"r","ip":"x"}')
    chunked = b"POST /v1/load/batch HTTP/1.1\r\nHost: n\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n[]\r\n0\r\n\r\n"
    await server.speak(add(1), bad, chunked, b"nonsense\r\n\r\n")
    lane, _ = server.connect()
    lane.data_received(add(1)[:20])
    server.connections.sweep(server.lanes.now + 11)
    lane.connection_lost(None)
    assert [status for *_, status in access.lines] == [200, 400, 400, 400, 408]
    assert {client for client, _ in access.refusals} == {"127.0.0.1"}
    reasons = [reason for _, reason in access.refusals]
    assert reasons[:2] == ["", "ip: expected an IPv4 or IPv6 address, got 'x'"]
    assert reasons[2].startswith("body: expected `object`")
    assert reasons[3].startswith("malformed HTTP: ")
    assert reasons[4] == "no complete request within 10 seconds"
