# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Nodes for tests of the client: an httpx transport that answers as a node would, and what it was sent."""

from __future__ import annotations

from typing import Any

import httpx
import msgspec

URLS = ["http://a", "http://b", "http://c"]


class FakeNodes:
    """`down`: hosts that refuse connections. `answers`: by method and path, what is answered in place of null.

    `asked`: host, method, path and body of each call that arrived.
    """

    def __init__(self) -> None:
        self.down: set[str] = set()
        self.answers: dict[tuple[str, str], httpx.Response] = {}
        self.asked: list[tuple[str, str, str, Any]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        host = request.url.host
        if host in self.down:
            raise httpx.ConnectError("connection refused", request=request)
        body = msgspec.json.decode(request.content) if request.content else None
        self.asked.append((host, request.method, request.url.path, body))
        found = self.answers.get((request.method, request.url.path))
        if found is not None:
            return found
        data = [{"code": 200} for _ in body["ops"]] if request.url.path.endswith("/batch") else None
        return answer(data)

    async def later(self, request: httpx.Request) -> httpx.Response:
        return self(request)

    def operations(self, host: str | None = None) -> list[dict[str, Any]]:
        """The operations of all batches that arrived, at `host` or anywhere."""
        return [
            operation
            for where, _, path, body in self.asked
            if path.endswith("/batch") and host in (None, where)
            for operation in body["ops"]
        ]


def answer(data: Any, status: int = 200, error: dict[str, Any] | None = None) -> httpx.Response:
    """An envelope."""
    return httpx.Response(status, json={"status": "OK", "error": error, "data": data, "trace_id": "t"})
