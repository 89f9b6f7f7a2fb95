# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""A trace id comes from a client and goes into JSON: one byte alone must not break the envelope, at any door."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest
from django.test import Client

from edge import envelope
from edge.errors import InvalidInput
from tests.unit.edge.lanes import Server, answers, get
from tests.unit.edge.test_asgi_app import ask
from tests.unit.partial_node import PartialNode

ANY_BYTE = [bytes([code]) for code in range(256)]
# What a header's value may hold by RFC 9110, but for the blanks around it.
SENDABLE = [byte for byte in ANY_BYTE if byte[0] > 0x20 and byte[0] != 0x7F]
NOT_PLAIN = [b'"', b"\\", b'""', b'\\"', b'x"', b'"x', b"\\u0041", b"\\n", b"</script>", b"\xff", b"\x80\xff"]


def read(body: bytes) -> str:
    """The trace id of an envelope."""
    return str(msgspec.json.decode(body)["trace_id"])


def test_any_byte_alone_reads_back() -> None:
    for trace_id in [*ANY_BYTE, *NOT_PLAIN]:
        text = trace_id.decode("latin-1")
        inside = envelope.json_text(trace_id)
        assert read(envelope.ok(b"null", inside)) == text
        assert read(envelope.error(InvalidInput("no"), inside)) == text


def through_lane(trace_id: bytes, *, known: bool) -> tuple[str, str, str]:
    """Header and body of a 200, body of a 400; with a head that was parsed, or with one that is known."""

    async def run() -> tuple[str, str, str]:
        server = Server()
        warm = [get(b"c", b"TraceId: a"), get(b"", b"TraceId: a")] if known else []
        header = b"TraceId: " + trace_id
        transport = await server.speak(*warm, get(b"c", header), get(b"", header))
        good, bad = answers(transport.written)[-2:]
        assert (good.status, bad.status) == (200, 400)
        assert good.headers["x-trace-id"] == bad.headers["x-trace-id"]
        return good.headers["x-trace-id"], read(good.body), read(bad.body)

    return asyncio.run(run())


@pytest.mark.no_cover
@pytest.mark.parametrize("known", [False, True])
def test_the_lane_echoes_any_byte_alone(known: bool) -> None:
    for trace_id in [*SENDABLE, *NOT_PLAIN]:
        text = trace_id.decode("latin-1")
        assert through_lane(trace_id, known=known) == (text, text, text)


@pytest.mark.no_cover
def test_the_asgi_door_echoes_any_byte_alone() -> None:
    for trace_id in [*SENDABLE, *NOT_PLAIN]:
        head, body = ask("/v1/load/stats", [b"{"], headers=[(b"traceid", trace_id)])
        assert head["status"] == 400
        assert dict(head["headers"])[b"x-trace-id"] == trace_id
        assert read(body["body"]) == trace_id.decode("latin-1")


@pytest.mark.no_cover
def test_djangos_pages_echo_any_byte_alone(node: PartialNode) -> None:
    client = Client()
    for trace_id in [*SENDABLE, *NOT_PLAIN]:
        text = trace_id.decode("latin-1")
        for target in ("/livez", "/nope"):
            response = client.get(target, headers={"TraceId": text})
            assert response["X-Trace-ID"] == text
            assert read(response.content) == text


UTF8 = ["größe-ß", "追踪", "🛰️x", "é" * 128]


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("text", UTF8)
def test_a_trace_id_in_utf_8_comes_back_byte_for_byte(node: PartialNode, text: str, known: bool) -> None:
    header, good, bad = through_lane(text.encode(), known=known)
    assert header.encode("latin-1") == text.encode()
    assert (good, bad) == (text, text)
    head, body = ask("/v1/load/stats", [b"{"], headers=[(b"traceid", text.encode())])
    assert dict(head["headers"])[b"x-trace-id"] == text.encode()
    assert f'"trace_id":"{text}"'.encode() in body["body"]
    response = Client().get("/nope", headers={"TraceId": text.encode().decode("latin-1")})
    assert response["X-Trace-ID"].encode("latin-1") == text.encode()
    assert f'"trace_id":"{text}"'.encode() in response.content
    assert node.access.lines[-1][0] == text


def test_a_known_head_does_not_hide_a_trace_id_that_is_too_long() -> None:
    async def run() -> list[int]:
        server = Server()
        long = b"TraceId: " + b"x" * 5000
        transport = await server.speak(get(b"c", b"TraceId: a"), get(b"c", b"TraceId: " + b"x" * 300), get(b"c", long))
        return [answer.status for answer in answers(transport.written)]

    assert asyncio.run(run()) == [200, 200, 431]


@pytest.mark.parametrize("text", ["é", "追", "🛰"])
def test_a_long_trace_id_is_cut_between_characters(text: str) -> None:
    ids = envelope.TraceIds(1)
    for before in range(4):
        whole = ("x" * before + text * 200).encode()
        cut = ids.of(whole)
        assert whole.startswith(cut)
        assert 256 - 4 < len(cut) <= 256
        assert cut.decode()
    assert ids.of(b"\xff" * 300) == b"\xff" * 256


def test_a_trace_id_is_cut_to_256_bytes() -> None:
    ids = envelope.TraceIds(1)
    for length in (255, 256, 257, 1000):
        assert ids.of(b"x" * length) == b"x" * min(length, 256)


def test_fresh_ids_are_uuids_that_count_on() -> None:
    ids = envelope.TraceIds(2**128 - 1)
    first, second, third = ids.fresh(), ids.of(None), ids.of(b"")
    assert first == b"ffffffff-ffff-4fff-bfff-ffffffffffff"
    assert second == b"ffffffff-ffff-4fff-bfff-000000000000"  # it begins again at its end
    assert third == b"ffffffff-ffff-4fff-bfff-000000000001"


def test_fresh_ids_count_on_from_block_to_block() -> None:
    start = 2**128 - 1 - 700
    ids = envelope.TraceIds(start)
    got = [int(ids.fresh()[24:], 16) for _ in range(1500)]
    assert got == [(start + number) % 2**48 for number in range(1500)]


def test_threads_never_get_the_same_fresh_id() -> None:
    ids = envelope.TraceIds(1)
    with ThreadPoolExecutor(4) as threads:
        got = list(threads.map(lambda _: [ids.fresh() for _ in range(5000)], range(4)))
    assert len({each for some in got for each in some}) == 20_000


@pytest.mark.parametrize("trace_id", [b"", b"-", b"0-a-Z", b"a\xe9", b"a-\xb5", b"a-\n", b'-"-'])
def test_what_needs_no_escape_stays_as_it_is(trace_id: bytes) -> None:
    inside = envelope.json_text(trace_id)
    assert read(envelope.ok(b"null", inside)) == trace_id.decode("latin-1")
    assert (inside == trace_id) == (not set(trace_id) & set(b'\n"\xe9\xb5'))


def test_what_fails_inside_is_logged_under_its_trace_id(caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> bytes:
        server = Server()
        server.ledger.loads.tagged_answer = lambda cluster: 1 / 0  # type: ignore[assignment, method-assign, return-value]
        return (await server.speak(get(b"c", b'TraceId: "'))).written

    (answer,) = answers(asyncio.run(run()))
    assert (answer.status, read(answer.body)) == (500, '"')
    assert 'GET /v1/load/stats failed, trace id "' in caplog.text
