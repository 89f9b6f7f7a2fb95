# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""However a stream of requests is cut into reads, and whichever way it takes inside, the answers are the same."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import msgspec
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.property import EXAMPLES
from tests.unit.edge.lanes import Answer, Server, answers, get, page, post

H2C = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQ"

BODIES = st.one_of(
    st.builds(
        lambda number, ip, length: msgspec.json.encode(
            {"cluster": "c", "request_id": f"r{number}", "ip": ip, "prompt_length": length}
        ),
        st.integers(0, 5),
        st.sampled_from(["10.0.0.1", "::1", "bad"]),
        st.one_of(st.none(), st.integers(-1, 2**31)),
    ),
    st.builds(lambda number: b'{"request_id":"r%d"}' % number, st.integers(0, 5)),
    st.sampled_from([b"", b"{", b"[]", b"null", b"\r\n\r\n", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\xff"]),
    st.binary(max_size=60),
)
HEADERS = st.lists(
    st.sampled_from(
        [b"X-Other: 1", b"Accept: */*", b"Accept: text/html", b"Content-Type: text/plain", b"Traceid: again", H2C]
    ),
    max_size=2,
    unique=True,
)


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    trace = b"TraceId: t%d" % draw(st.integers(0, 99))
    headers = (trace, *draw(HEADERS))
    kind = draw(st.sampled_from(["get", "body", "body", "body", "chunked", "page", "options"]))
    path = draw(st.sampled_from([b"/v1/load/stats", b"/v1/load/prompt", b"/v1/load/stats?x=%zz"]))
    if kind == "get":
        return get(draw(st.sampled_from([b"c", b"none", b"", b"%63", b"%zz"])), *headers)
    if kind == "options":
        return post(b"", *headers, method=b"OPTIONS", path=path)
    body = draw(BODIES)
    if kind == "page":
        return page(b"/page", *headers, body=body)
    method = draw(st.sampled_from([b"POST", b"DELETE"]))
    if kind == "body":
        return post(body, *headers, method=method, path=path)
    lines = [method + b" " + path + b" HTTP/1.1", b"Host: n", b"Transfer-Encoding: chunked", *headers]
    cut = draw(st.integers(0, len(body)))
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (body[:cut], body[cut:]) if part)
    return b"\r\n".join(lines) + b"\r\n\r\n" + chunks + b"0\r\n\r\n"


def play(pieces: list[bytes], *, settle: bool, hot: bool = True) -> list[Answer]:
    """The answers to the pieces on one connection of a fresh server."""

    async def run() -> list[Answer]:
        server = Server()
        if not hot:
            server.lanes.heads.learn = lambda data, head: None  # type: ignore[method-assign]
        lane, transport = server.connect()
        if not hot:
            lane._find_route = lambda: (None, b"")  # type: ignore[method-assign]
        for piece in pieces:
            lane.data_received(piece)
            if settle:
                await server.settle()
        await server.settle()
        lane.connection_lost(None)
        await server.settle()
        assert not server.state.tasks
        assert not server.state.connections
        return [said(answer) for answer in answers(transport.written)]

    return asyncio.run(run())


def said(answer: Answer) -> Answer:
    """An answer without what may rightly differ between the ways: order and presence of transport headers."""
    kept = {
        name: value for name, value in answer.headers.items() if name in {"content-type", "x-trace-id", "connection"}
    }
    return Answer(answer.status, kept, answer.body)


@settings(max_examples=60 * EXAMPLES)
@given(st.lists(requests(), min_size=1, max_size=6), st.data(), st.booleans())
def test_any_split_gives_the_same_answers_as_whole_requests(
    stream: list[bytes], data: st.DataObject, settle: bool
) -> None:
    whole = b"".join(stream)
    cuts = sorted(data.draw(st.sets(st.integers(0, len(whole)), max_size=12)) | {0, len(whole)})
    pieces = [whole[a:b] for a, b in pairwise(cuts)]
    expected = play(stream, settle=True)
    assert len(expected) == len(stream)
    assert play(pieces, settle=settle) == expected
    assert play([whole], settle=settle) == expected


@settings(max_examples=40 * EXAMPLES)
@given(st.lists(requests(), min_size=1, max_size=6))
def test_the_lane_answers_as_plain_asgi_does(stream: list[bytes]) -> None:
    assert play(stream, settle=True) == play(stream, settle=True, hot=False)


@settings(max_examples=60 * EXAMPLES)
@given(st.lists(st.one_of(requests(), st.binary(max_size=40)), max_size=5), st.integers(1, 50))
@example([b"\x00"], 1)
@example([b"POST /v1/load/stats HTTP/1.1\r\nHost: n\r\nContent-Length: 99999999999999999999\r\n\r\n"], 7)
def test_no_bytes_break_it(stream: list[bytes], size: int) -> None:
    whole = b"".join(stream)
    play([whole[at : at + size] for at in range(0, len(whole), size)], settle=True)
