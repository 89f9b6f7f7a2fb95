# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The doors at the lane and at plain ASGI, on raw bytes."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any

import msgspec
import pytest

from edge.call import Call, Route
from edge.caller import Caller, Scope
from edge.doors import Doors
from edge.key_table import NoKeys
from tests.unit.edge.lanes import Answer, Server, Transport, add, answers, get, post

EVIL = b"Origin: http://evil.example"


class OneKey(NoKeys):
    """Knows one key, and counts how often it was asked."""

    def __init__(self, *scopes: Scope) -> None:
        self.caller = Caller("key one", frozenset(scopes))
        self.asked = 0

    def find(self, headers: Mapping[bytes, bytes]) -> Caller | None:
        self.asked += 1
        return self.caller if headers.get(b"x-api-key") == b"one" else None


def set_log_level(call: Call) -> bytes:
    """Stands in for what changes the node."""
    return msgspec.json.encode(call.caller.name if call.caller else "a stranger")


OPERATE = Route("POST", "/log/level", set_log_level, scope=Scope.OPERATE)


def serve(doors: Doors | None = None) -> Server:
    server = Server(routes=[OPERATE])
    if doors is not None:
        server.dispatcher.doors = doors
    return server


async def far(server: Server, *pieces: bytes) -> Transport:
    """Send pieces from another machine."""
    lane, transport = server.connect("203.0.113.9")
    for piece in pieces:
        lane.data_received(piece)
        await server.settle()
    return transport


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(test)


def test_a_page_of_another_site_is_refused_each_time_and_the_connection_stays() -> None:
    async def test() -> None:
        server = serve()
        transport = await server.speak(add(1, EVIL), add(2, EVIL), add(3, EVIL), add(4))
        found = answers(transport.written)
        assert [each.status for each in found] == [403, 403, 403, 200]
        assert found[0].code == 40301001
        assert server.ledger.counts().added == 1
        assert not transport.closing

    run(test())


@pytest.mark.parametrize("name", [b"X-HTTP-Method-Override", b"X-HTTP-Method", b"X-Method-Override", b"_method"])
def test_no_header_turns_a_get_into_something_else(name: bytes) -> None:
    async def test() -> None:
        server = serve()
        await server.speak(add(1))
        request = get(b"c", EVIL, name + b": DELETE")
        assert answers((await server.speak(request)).written)[0].status == 200
        body = b'{"request_id":"r1","cluster":"","ip":""}'
        override = post(body, EVIL, name + b": GET", method=b"DELETE")
        assert answers((await server.speak(override)).written)[0].status == 403
        assert server.ledger.counts().added == 1

    run(test())


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"POST /v1/load/stats HTTP/1.1\r\nHost: evil.example", 400),
        (b"GET /v1/load/stats?cluster=c HTTP/1.1\r\nHost: evil.example:8080", 400),
        (b"GET /page HTTP/1.1\r\nHost: evil.example", 400),
        (b"GET /v1/load/stats/ HTTP/1.1\r\nHost: evil.example", 400),
        (b"POST /v1/load/stats/ HTTP/1.1\r\nHost: node\r\n" + EVIL, 403),
        (b"POST /page HTTP/1.1\r\nHost: node\r\n" + EVIL, 403),
        (b"POST /v1/load/stats HTTP/1.1\r\nHost: node\r\nAccept: text/html\r\n" + EVIL, 403),
        (b"POST http://evil.example/v1/load/stats HTTP/1.1\r\nHost: node", 400),
        (b"GET http://evil.example/page HTTP/1.1\r\nHost: node", 400),
        (b"GET http://node/page HTTP/1.1\r\nHost: node", 200),
        (b"GET /page HTTP/1.0\r\nHost: node\r\nHost: evil.example", 400),
        (b"GET /page HTTP/1.0", 200),
        (b"HEAD /v1/load/stats HTTP/1.1\r\nHost: evil.example", 400),
        (b"OPTIONS /v1/load/stats HTTP/1.1\r\nHost: evil.example", 400),
        (b"PUT /v1/load/stats HTTP/1.1\r\nHost: node\r\n" + EVIL, 403),
        (b"OPTIONS /v1/load/stats HTTP/1.1\r\nHost: node\r\n" + EVIL, 200),
    ],
)
def test_every_way_through_the_lane_asks_about_the_head(line: bytes, status: int) -> None:
    async def test() -> None:
        server = serve()
        transport = await server.speak(line + b"\r\nContent-Length: 0\r\n\r\n")
        found = answers(transport.written, head_only=[0] if line.startswith(b"HEAD") else [])
        assert [each.status for each in found] == [status]
        if status != 200:
            assert not server.pages.seen

    run(test())


def test_a_call_without_a_key_is_not_looked_up_and_one_with_a_key_is_each_time() -> None:
    async def test() -> None:
        keys = OneKey(Scope.WRITE)
        server = serve(Doors(keys))
        await server.speak(*(add(number) for number in range(1, 5)))
        assert keys.asked == 0
        keyed = [add(number, b"X-API-Key: one") for number in range(1, 5)]
        found = answers((await server.speak(*keyed)).written)
        assert [each.status for each in found] == [200] * 4
        assert keys.asked == 4
        keys.caller = Caller("key one", frozenset())  # changed since: no head remembers an old answer
        assert answers((await server.speak(*keyed)).written)[0].status == 403

    run(test())


def test_strangers_change_nothing_of_the_node_and_a_key_lets_them() -> None:
    async def test() -> None:
        server = serve(Doors(OneKey(Scope.OPERATE)))
        asked = post(b"{}", path=b"/log/level")
        with_key = post(b"{}", b"X-API-Key: one", path=b"/log/level")
        found = answers((await far(server, asked, asked, with_key, asked)).written)
        assert [each.status for each in found] == [401, 401, 200, 401]
        assert found[0].code == 40101001
        assert found[0].headers["www-authenticate"] == "Bearer"
        assert "www-authenticate" not in found[2].headers
        assert found[2].data == "key one"
        local = answers((await server.speak(asked, post(b"{}", b"Forwarded: for=x", path=b"/log/level"))).written)
        assert [each.status for each in local] == [200, 401]

    run(test())


def test_where_keys_are_required_nothing_else_is_served_even_here() -> None:
    async def test() -> None:
        server = serve(Doors(OneKey(Scope.WRITE), required=True))
        key = b"X-API-Key: one"
        found = answers((await server.speak(add(1), add(1, key), get(b"c", key), get(b"c"), add(2))).written)
        assert [each.status for each in found] == [401, 200, 403, 401, 401]

    run(test())


def test_only_a_call_that_a_session_may_let_in_goes_to_django() -> None:
    async def test() -> None:
        server = serve()
        cookie = b"Cookie: sessionid=x"
        await far(server, add(1, cookie))
        assert not server.pages.seen
        await far(server, post(b"{}", cookie, path=b"/log/level"))
        assert server.pages.seen == [("POST", "/log/level", b"{}")]
        server.dispatcher.doors = Doors(OneKey(Scope.READ), required=True)
        await far(server, get(b"c", cookie))
        assert len(server.pages.seen) == 2
        await far(server, get(b"c", cookie, b"X-API-Key: one"))
        assert len(server.pages.seen) == 2

    run(test())


def ask(server: Server, method: str, path: str, headers: Sequence[tuple[bytes, bytes]], client: str) -> Answer:
    """What plain ASGI answers."""

    async def call() -> Answer:
        sent: list[Mapping[str, Any]] = []

        async def receive() -> Mapping[str, Any]:
            return {"type": "http.request", "body": b"{}", "more_body": False}

        async def send(message: Mapping[str, Any]) -> None:
            sent.append(message)

        scope = {"type": "http", "method": method, "path": path, "query_string": b"", "headers": headers}
        await server.app({**scope, "client": (client, 1)}, receive, send)
        named = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        return Answer(sent[0]["status"], named, sent[1]["body"])

    return asyncio.run(call())


@pytest.mark.no_cover
@pytest.mark.parametrize("method", ["POST", "DELETE", "PUT", "post"])
@pytest.mark.parametrize("path", ["/log/level", "/log/level/", "/v1/load/stats", "/nowhere"])
@pytest.mark.parametrize(
    ("field", "code"),
    [
        ((b"origin", b"http://evil.example"), 40301001),
        ((b"origin", b"null"), 40301001),
        ((b"sec-fetch-site", b"same-site"), 40301001),
        ((b"host", b"evil.example"), 40001400),
    ],
)
def test_plain_asgi_asks_about_every_head(method: str, path: str, field: tuple[bytes, bytes], code: int) -> None:
    found = ask(serve(), method, path, [field], "127.0.0.1")
    assert (found.status, found.code) == (code // 100000, code)


def test_plain_asgi_admits_as_the_lane_does() -> None:
    server = serve(Doors(OneKey(Scope.OPERATE)))
    found = ask(server, "POST", "/log/level", [], "203.0.113.9")
    assert (found.status, found.code, found.headers["www-authenticate"]) == (401, 40101001, "Bearer")
    assert ask(server, "POST", "/log/level", [(b"x-api-key", b"one")], "203.0.113.9").data == "key one"
    assert ask(server, "POST", "/log/level", [], "::ffff:127.0.0.1").data == "a stranger"
    assert ask(server, "POST", "/log/level", [(b"x-forwarded-for", b"")], "127.0.0.1").status == 401
