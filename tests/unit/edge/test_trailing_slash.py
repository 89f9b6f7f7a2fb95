# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""A call with a slash too many is redirected at every door, as by the Go version."""

from __future__ import annotations

import asyncio

import pytest
from django.test import Client

from edge.call import Route, Table
from edge.trailing_slash import find_redirect
from tests.unit.edge.lanes import Server, answers, get, post
from tests.unit.partial_node import PartialNode

METHODS = ["GET", "HEAD", "POST", "DELETE", "PUT", "OPTIONS"]


def expected(method: str) -> int:
    return 301 if method == "GET" else 307


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("accept", ["*/*", "text/html"])
def test_the_lane_and_asgi(method: str, accept: str) -> None:
    async def run() -> None:
        server = Server()
        for route in server.dispatcher.table:
            request = post(
                b"", f"Accept: {accept}".encode(), path=route.path.encode() + b"/?a=%2F&b", method=method.encode()
            )
            transport = await server.speak(request, get())
            answer, after = answers(transport.written, head_only=[0])
            assert (answer.status, answer.headers["location"]) == (expected(method), route.path + "?a=%2F&b")
            assert after.status == 200
        assert server.pages.seen == []

    asyncio.run(run())


@pytest.mark.parametrize("method", METHODS)
def test_django(node: PartialNode, method: str) -> None:
    """Each path with one method of all in turn, and each method with a sixth of the paths."""
    paths = sorted({route.path for route in node.dispatcher.table} | {"/metrics"})
    for path in paths[METHODS.index(method) :: len(METHODS)]:
        response = Client().generic(method, path + "/?a=%2F&b")
        assert (response.status_code, response["Location"]) == (expected(method), path + "?a=%2F&b")
        assert Client().generic(method, path + "/")["Location"] == path


def test_nothing_else_is_redirected() -> None:
    table = Table([Route("GET", "/v1/load/stats", lambda call: b"")])
    assert find_redirect(table, "GET", "/metrics/", "") == (301, "/metrics")
    for path in ("/v1/load/stats", "/v1/load/stats//", "//v1/load/stats/", "/nope/", "/", "", "//evil.example/"):
        assert find_redirect(table, "GET", path, "") is None
