# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""A trace id comes from a client and goes into JSON: one byte alone must not break the envelope, at any door."""

from __future__ import annotations

import asyncio

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


@pytest.mark.parametrize("trace_id", [*ANY_BYTE, *NOT_PLAIN])
def test_any_byte_alone_reads_back(trace_id: bytes) -> None:
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


@pytest.mark.parametrize("known", [False, True])
def test_the_lane_echoes_any_byte_alone(known: bool) -> None:
    for trace_id in [*SENDABLE, *NOT_PLAIN]:
        text = trace_id.decode("latin-1")
        assert through_lane(trace_id, known=known) == (text, text, text)


def test_the_asgi_door_echoes_any_byte_alone() -> None:
    for trace_id in [*SENDABLE, *NOT_PLAIN]:
        head, body = ask("/v1/load/stats", [b"{"], headers=[(b"traceid", trace_id)])
        assert head["status"] == 400
        assert dict(head["headers"])[b"x-trace-id"] == trace_id
        assert read(body["body"]) == trace_id.decode("latin-1")


def test_djangos_pages_echo_any_byte_alone(node: PartialNode) -> None:
    client = Client()
    for trace_id in [*SENDABLE, *NOT_PLAIN]:
        text = trace_id.decode("latin-1")
        for target in ("/livez", "/nope"):
            response = client.get(target, headers={"TraceId": text})
            assert response["X-Trace-ID"] == text
            assert read(response.content) == text


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


def test_what_fails_inside_is_logged_under_its_trace_id(caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> bytes:
        server = Server()
        server.ledger.tagged_answer = lambda cluster: 1 / 0  # type: ignore[assignment, method-assign, return-value]
        return (await server.speak(get(b"c", b'TraceId: "'))).written

    (answer,) = answers(asyncio.run(run()))
    assert (answer.status, read(answer.body)) == (500, '"')
    assert 'GET /v1/load/stats failed, trace id "' in caplog.text
