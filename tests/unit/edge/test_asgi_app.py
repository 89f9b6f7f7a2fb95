# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The ASGI door, driven as a server would drive it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import pytest

from edge.asgi import HandlerApp
from edge.call import Call, Route, Table
from edge.dispatcher import Dispatcher
from edge.envelope import TraceIds
from edge.errors import InvalidInput
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
