# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The ASGI door, driven as a server would drive it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import pytest

from edge.asgi import HandlerApp
from edge.call import Call, Route, Table
from edge.caller import Caller, Scope
from edge.dispatcher import Dispatcher
from edge.doors import Doors
from edge.envelope import TraceIds
from edge.errors import ContractError, InvalidInput, TooMany, Unavailable
from edge.page_threads import PageThreads
from edge.places import Places
from edge.session_reader import SessionReader
from tests.unit.edge.lanes import Pages, Server


def ask(path: str, parts: Sequence[bytes], *, gone: bool = False, **scope: Any) -> list[Mapping[str, Any]]:
    """What the door sends for a request whose body comes in these parts."""

    async def run() -> list[Mapping[str, Any]]:
        server = Server(max_body_bytes=100)
        messages = [
            {"type": "http.request", "body": part, "more_body": at + 1 < len(parts) or gone}
            for at, part in enumerate(parts)
        ]
        messages += [{"type": "http.disconnect"}]
        sent: list[Mapping[str, Any]] = []

        async def receive() -> Mapping[str, Any]:
            return messages.pop(0)

        async def send(message: Mapping[str, Any]) -> None:
            sent.append(message)

        whole = {"type": "http", "method": "POST", "path": path, "query_string": b"", "headers": [], **scope}
        await server.app(whole, receive, send)
        return sent

    return asyncio.run(run())


def test_a_body_in_parts_is_one_body() -> None:
    head, body = ask("/v1/load/stats", [b'{"cluster":"c","request_id":"r",', b'"ip":"10.0.0.1"}'])
    assert head["status"] == 200
    assert msgspec.json.decode(body["body"])["status"] == "OK"


def test_a_body_over_the_limit_is_refused_by_the_handlers_and_by_django_alike() -> None:
    for path in ("/v1/load/stats", "/page"):
        head, body = ask(path, [b"x" * 60] * 3)
        assert head["status"] == 413
        assert msgspec.json.decode(body["body"])["error"]["code"] == 41301000


def test_a_client_that_is_gone_is_not_answered() -> None:
    assert ask("/v1/load/stats", [b"{"], gone=True) == []


@pytest.mark.parametrize(
    ("body", "status", "kind"),
    [(b"good", 200, b"application/msgpack"), (b"bad", 400, b"application/json; charset=utf-8")],
)
def test_a_peers_answer_is_msgpack_and_its_error_is_json(body: bytes, status: int, kind: bytes) -> None:
    def take(call: Call) -> bytes:
        if call.body == b"bad":
            raise InvalidInput("version: expected 1")
        return call.body

    async def run() -> list[Mapping[str, Any]]:
        sent: list[Mapping[str, Any]] = []

        async def receive() -> Mapping[str, Any]:
            return {"type": "http.request", "body": body}

        async def send(message: Mapping[str, Any]) -> None:
            sent.append(message)

        app = HandlerApp(
            Dispatcher(Table([Route("POST", "/push", take, internal=True)]), TraceIds(1)), Pages(), max_body_bytes=9
        )
        await app(
            {"type": "http", "method": "POST", "path": "/push", "query_string": b"", "headers": []}, receive, send
        )
        return sent

    head, answer = asyncio.run(run())
    assert (head["status"], dict(head["headers"])[b"content-type"]) == (status, kind)
    assert (answer["body"] == b"good") is (status == 200)


WAITING = b"cluster=c&wait=60"
ANNA = Caller("user anna", frozenset({Scope.READ}))


def ask_by_cookie(
    query: bytes, found_caller: Caller | ContractError | None, *, method: str = "GET", accept: bytes = b"*/*"
) -> tuple[int, list[str], Server]:
    """The status for a call with a cookie, where keys are required, and what happened before."""
    found: list[str] = []
    status: list[int] = []
    servers: list[Server] = []

    async def read(cookies: bytes, client: str) -> Caller | None:
        assert (cookies, client) == (b"sessionid=x", "203.0.113.9")
        found.append("read")
        if isinstance(found_caller, ContractError):
            raise found_caller
        return found_caller

    async def test() -> None:
        server = Server()
        server.dispatcher.doors = Doors(required=True)
        app = HandlerApp(server.dispatcher, server.pages, max_body_bytes=100, signed_in=read)
        sent: list[Mapping[str, Any]] = []
        asked = asyncio.Event()

        async def receive() -> Mapping[str, Any]:
            if asked.is_set():
                await asyncio.Event().wait()  # the client stays
            asked.set()
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Mapping[str, Any]) -> None:
            sent.append(message)

        headers = [(b"cookie", b"sessionid=x"), (b"accept", accept)]
        scope = {"type": "http", "method": method, "path": "/v1/load/stats", "query_string": query, "headers": headers}
        call = asyncio.ensure_future(app({**scope, "client": ("203.0.113.9", 1)}, receive, send))
        async with asyncio.timeout(60):
            while not (server.waits.waiting or call.done()):
                await asyncio.sleep(0)
            if not call.done():
                found.append("waited")
                server.waits.end()
            await call
        status.append(sent[0]["status"])
        servers.append(server)

    asyncio.run(test())
    return status[0], found, servers[0]


def test_a_persons_call_waits_and_all_else_of_a_person_is_djangos() -> None:
    status, found, server = ask_by_cookie(WAITING, ANNA)
    assert (status, found, server.pages.seen) == (200, ["read", "waited"], [])
    for query, method, accept in (
        (b"cluster=c", "GET", b"*/*"),
        (WAITING, "GET", b"text/html"),
        (WAITING, "POST", b"*/*"),
    ):
        status, found, server = ask_by_cookie(query, ANNA, method=method, accept=accept)
        assert (found, server.pages.seen) == ([], [(method, "/v1/load/stats", b"")])


@pytest.mark.parametrize(
    ("caller", "status"),
    [
        (None, 401),
        (Caller("user bob", frozenset()), 403),
        (Unavailable("the database of people is away"), 503),
        (TooMany("as many pages as one client may"), 429),
    ],
)
def test_a_persons_call_that_may_not_wait_is_refused_at_once(caller: Any, status: int) -> None:
    answered, found, server = ask_by_cookie(WAITING, caller)
    assert (answered, found, server.pages.seen) == (status, ["read"], [])


def test_sessions_are_read_on_the_threads_of_pages_and_no_more_than_fit() -> None:
    async def test() -> None:
        threads = PageThreads(1, 0, Places("pages", "Pages", 1))
        go = threading.Event()

        def read(cookies: str) -> Caller | None:
            assert go.wait(60)
            return ANNA if cookies == "sessionid=x" else None

        reader = SessionReader(threads, read)
        first = asyncio.ensure_future(reader.caller(b"sessionid=x", "10.0.0.1"))
        await asyncio.sleep(0)
        with pytest.raises(TooMany):
            await reader.caller(b"sessionid=x", "10.0.0.1")
        with pytest.raises(Unavailable):
            await reader.caller(b"sessionid=x", "10.0.0.2")
        go.set()
        assert await first is ANNA
        assert await reader.caller(b"sessionid=y", "10.0.0.1") is None
        threads.close()

    asyncio.run(test())
