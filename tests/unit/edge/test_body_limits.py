# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""A body of exactly the limit is taken at every door, and one byte more is refused, however it is sent."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import pairwise

import msgspec
import pytest
from django.test import AsyncClient, Client

from tests.unit.edge.lanes import Answer, Server, answers, get, post
from tests.unit.edge.test_asgi_app import ask
from tests.unit.partial_node import PartialNode

LIMIT = 100  # as `test_asgi_app.ask` has it
STATS = "/v1/load/stats"
SIZES = [LIMIT - 1, LIMIT, LIMIT + 1, LIMIT + 2]
CUTS = [[], [1], [LIMIT - 1], [LIMIT], [50, LIMIT], [50, LIMIT - 1, LIMIT]]


def add(size: int) -> bytes:
    """A POST's body of so many bytes."""
    start, end = b'{"cluster":"c","request_id":"', b'","ip":"10.0.0.1"}'
    return start + b"r" * (size - len(start) - len(end)) + end


def long(size: int) -> bytes:
    """A POST's body of so many bytes, filled with a member that is ignored."""
    body = b'{"cluster":"c","request_id":"r","ip":"10.0.0.1","fill":""}'
    return body[:-2] + b"x" * (size - len(body)) + body[-2:]


def parts(body: bytes, cuts: Sequence[int]) -> list[bytes]:
    """The body, cut at these places; nothing is sent past its end."""
    places = [0, *(cut for cut in cuts if cut < len(body)), len(body)]
    return [body[a:b] for a, b in pairwise(places)]


def expected(size: int) -> tuple[int, int | None]:
    """Status and error code."""
    return (200, None) if size <= LIMIT else (413, 41301000)


def said(status: int, body: bytes) -> tuple[int, int | None]:
    error = msgspec.json.decode(body)["error"]
    return status, error and error["code"]


def through_lane(*pieces: bytes) -> tuple[list[Answer], int]:
    """The answers, and how many requests were added."""

    async def run() -> tuple[list[Answer], int]:
        server = Server(max_body_bytes=LIMIT)
        transport = await server.speak(*pieces)
        await server.settle()
        assert not server.state.tasks
        return answers(transport.written), server.ledger.counts().added

    return asyncio.run(run())


def chunked(pieces: Sequence[bytes], path: str = STATS) -> list[bytes]:
    """A request in chunks, the head and each chunk in a read of its own."""
    head = b"POST %b HTTP/1.1\r\nHost: n\r\nTransfer-Encoding: chunked\r\n\r\n" % path.encode()
    return [head, *(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces), b"0\r\n\r\n"]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("cuts", CUTS, ids=str)
def test_the_lane(size: int, cuts: list[int]) -> None:
    body = add(size)
    pieces = parts(body, cuts)
    whole = post(body)
    start = len(whole) - len(body)
    for sent in (
        [whole],
        [whole[:start], *pieces],
        chunked(pieces),
        [b"".join(chunked(pieces))],
    ):
        ((answer, *more), added) = through_lane(*sent)
        assert more == []
        assert said(answer.status, answer.body) == expected(size)
        assert added == (size <= LIMIT)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("cuts", CUTS, ids=str)
def test_a_page_behind_the_lane(size: int, cuts: list[int]) -> None:
    body = b"x" * size
    whole = post(body, path=b"/page")
    start = len(whole) - len(body)
    for sent in ([whole], [whole[:start], *parts(body, cuts)], chunked(parts(body, cuts), "/page")):
        ((answer,), _) = through_lane(*sent)
        if size <= LIMIT:
            assert (answer.status, answer.body) == (200, b"page POST /page " + body)
        else:
            assert said(answer.status, answer.body) == expected(size)


def test_a_body_of_exactly_the_limit_keeps_the_connection() -> None:
    (first, second, third), _ = through_lane(*chunked([add(LIMIT)]), post(add(LIMIT - 1)), get())
    assert [first.status, second.status, third.status] == [200] * 3
    assert len(third.data) == 1


@pytest.mark.no_cover
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("cuts", CUTS, ids=str)
@pytest.mark.parametrize("last", [[], [b""], [b"", b""]], ids=["whole", "empty last", "two empty ones"])
def test_the_asgi_door(size: int, cuts: list[int], last: list[bytes]) -> None:
    head, answer = ask(STATS, [*parts(add(size), cuts), *last])
    assert said(head["status"], answer["body"]) == expected(size)
    head, answer = ask("/page", [*parts(b"x" * size, cuts), *last])
    if size <= LIMIT:
        assert (head["status"], answer["body"]) == (200, b"page POST /page " + b"x" * size)
    else:
        assert said(head["status"], answer["body"]) == expected(size)


def test_the_asgi_door_reads_no_further_than_it_must() -> None:
    """What goes on past the limit is refused at once, and a limit reached with more to come is no whole body."""
    for path in (STATS, "/page"):
        head, answer = ask(path, [add(LIMIT), b"", b"}", b"never read"])
        assert said(head["status"], answer["body"]) == expected(LIMIT + 1)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("accept", ["*/*", "text/html"])
def test_djangos_views(node: PartialNode, size: int, accept: str) -> None:
    body = long(node.config.http.max_body_bytes - LIMIT + size)
    response = Client().post(STATS, body, "application/json", headers={"Accept": accept})
    assert response.status_code == expected(size)[0]
    if accept == "*/*":
        assert said(response.status_code, response.content) == expected(size)
    assert node.ledger.counts().added == (size <= LIMIT)


def test_djangos_views_on_a_loop(node: PartialNode) -> None:
    limit = node.config.http.max_body_bytes

    async def run() -> list[int]:
        client = AsyncClient()
        found = []
        for size in (limit - 1, limit, limit + 1):
            response = await client.post(STATS, long(size), "application/json")
            found.append(response.status_code)
        return found

    assert asyncio.run(run()) == [200, 200, 413]
