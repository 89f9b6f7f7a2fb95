# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The ASGI door, driven as a server would drive it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from tests.unit.edge.lanes import Server


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
