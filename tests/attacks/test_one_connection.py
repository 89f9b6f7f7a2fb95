# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What one connection can cost a node and its other clients: a little memory, and milliseconds.

The bound on others' waiting is 20 ms beyond what they wait on this machine beside a polite client that keeps the node
as busy. An attack is tried again where other work of the machine is in the way, three times at most.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from tests.attacks.attacker import Pour, attack, forget_peak, memory
from tests.attacks.honest_client import honest_client
from tests.nodes import NodeProcess, running_node

pytestmark = pytest.mark.slow

MOST_HEADER = 32768  # `MaxHeaderBytes` by default
BOUND_SECONDS = 0.02
MB = 1 << 20
# What the process takes for itself in a few seconds of full work: threads of Django, rows of logs, fragments.
NOISE = 12 * MB

ATTACKER = b"Host: attacker\r\n"
CHUNKED = b"POST /v1/load/stats HTTP/1.1\r\n" + ATTACKER + b"Transfer-Encoding: chunked\r\n\r\n"
ENDLESS = {
    "trailers": (CHUNKED + b"0\r\n", b"A:b\r\n"),
    "one trailer": (CHUNKED + b"0\r\nA: ", b"b"),
    "trailers of a page": (CHUNKED.replace(b"/v1/load/stats", b"/nope") + b"0\r\n", b"A:b\r\n"),
    "chunk extensions": (CHUNKED + b"1;", b"a=b;"),
    "chunk size digits": (CHUNKED, b"0"),
    "a head": (b"GET /livez HTTP/1.1\r\n", b"A: b\r\n"),
    "blank lines": (b"\r\n", b"\r\n"),
}


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeProcess]:
    settings = {"METADATA_CENTER_HTTP_READ_TIMEOUT": "2s", "METADATA_CENTER_LOG_ACCESS_OUTPUT": "off"}
    with running_node(tmp_path_factory.mktemp("node"), **settings) as node:
        for number in range(100):
            body = {"cluster": "c", "request_id": f"r{number}", "ip": f"10.0.0.{number}"}
            assert node.call("POST", "/v1/load/stats", body)[0] == 200
        for _ in range(20):  # what is made once is made now
            for path in ("/nope", "/console/", "/v1/load/stats?cluster=c"):
                node.call("GET", path)
        yield node


@pytest.fixture(scope="module")
def polite(node: NodeProcess) -> float:
    """The p99 beside a client that asks without a pause and never pipelines, in seconds."""
    with honest_client(node.host, node.port) as client:
        ends = time.monotonic() + 3
        with socket.create_connection((node.host, node.port)) as connection:
            while time.monotonic() < ends:
                connection.sendall(b"GET /livez HTTP/1.1\r\n" + ATTACKER + b"\r\n")
                assert connection.recv(65536)
    say(f"beside a polite client: {client}")
    return client.p99


def say(line: str) -> None:
    """Report what was measured."""
    print(f"\n{line}")  # noqa: T201 for those who read the log of a run


def endured(node: NodeProcess, polite: float, name: str, pours: Callable[[], list[Pour]], grows: int = NOISE) -> None:
    """Attack, and see that the node grew by a little and the honest client was answered in time."""
    for attempt in range(3):
        before = memory(node)
        forget_peak(node)
        poured = pours()
        with honest_client(node.host, node.port) as client, attack(*poured):
            grew = memory(node, "VmHWM") - before
        sent = sum(pour.sent for pour in poured)
        opened = sum(pour.connections for pour in poured)
        say(f"{name}: {client}; {sent / MB:.1f} MB sent on {opened} connections, grew by {grew / MB:.1f} MB")
        assert grew <= grows
        if client.p99 <= polite + BOUND_SECONDS:
            return
        assert attempt < 2, f"p99 {client.p99 * 1e3:.1f} ms, beside a polite client {polite * 1e3:.1f} ms"


@pytest.mark.parametrize("name", ENDLESS)
def test_what_never_ends_is_refused_and_closed(node: NodeProcess, polite: float, name: str) -> None:
    begin, more = ENDLESS[name]
    pours = []

    def pour() -> list[Pour]:
        pours.append(Pour(node, begin, more * (65536 // len(more)), read=True))
        return pours[-1:]

    endured(node, polite, name, pour)
    assert all(pour.connections > 1 for pour in pours)
    found = [answer for pour in pours for answer in pour.answers if answer]
    assert found
    assert all(answer.startswith(b"HTTP/1.1 431 ") for answer in found)


PIPELINED = {
    "livez, a client that reads": (b"GET /livez HTTP/1.1\r\n", True),
    "stats, a client that does not": (b"GET /v1/load/stats?cluster=c HTTP/1.1\r\n", False),
    "nope, a client that reads": (b"GET /nope HTTP/1.1\r\n", True),
    "nope, a client that does not": (b"GET /nope HTTP/1.1\r\n", False),
    "a page, a client that does not": (b"GET /console/ HTTP/1.1\r\nAccept: text/html\r\n", False),
    "an async handler, a client that reads": (b"GET /v1/load/clusters HTTP/1.1\r\n", True),
    "an async handler, a client that does not": (b"GET /v1/load/clusters HTTP/1.1\r\n", False),
}


@pytest.mark.parametrize("name", PIPELINED)
def test_pipelined_requests_neither_freeze_a_node_nor_fill_it(node: NodeProcess, polite: float, name: str) -> None:
    head, read = PIPELINED[name]
    request = head + ATTACKER + b"\r\n"
    endured(node, polite, name, lambda: [Pour(node, b"", request * (262144 // len(request)), read=read)])


def test_many_such_connections_are_no_worse(node: NodeProcess, polite: float) -> None:
    livez = b"GET /livez HTTP/1.1\r\n" + ATTACKER + b"\r\n"
    stats = b"GET /v1/load/stats?cluster=c HTTP/1.1\r\n" + ATTACKER + b"\r\n"

    def pours() -> list[Pour]:
        reading = [Pour(node, b"", livez * 5000, read=True) for _ in range(2)]
        return reading + [Pour(node, b"", stats * 5000, read=False) for _ in range(18)]

    endured(node, polite, "20 connections", pours, NOISE + 20 * MB)


HANDSHAKE = (
    b"GET /ws/load/ HTTP/1.1\r\nHost: n\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
)


@pytest.mark.parametrize("body", [b"Content-Length: 5\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n", b""], ids=str)
def test_handshakes_that_do_not_end_are_closed(node: NodeProcess, body: bytes) -> None:
    opened = [socket.create_connection((node.host, node.port)) for _ in range(300)]
    try:
        with honest_client(node.host, node.port) as client:
            began = time.monotonic()
            for connection in opened:
                connection.sendall(HANDSHAKE + body)
            for connection in opened:
                connection.settimeout(20)
                answer = b""
                while read := connection.recv(65536):
                    answer += read
                assert answer.startswith(b"HTTP/1.1 400 " if body else b"HTTP/1.1 408 ")
            took = time.monotonic() - began
    finally:
        for connection in opened:
            connection.close()
    say(f"300 handshakes with {body!r}: {client}; closed after {took:.1f} s")
    assert took < 15


@pytest.mark.parametrize("read", [True, False])
def test_pings_neither_freeze_a_node_nor_fill_it(node: NodeProcess, polite: float, read: bool) -> None:
    pings = b"\x89\x80\x00\x00\x00\x00" * 40000
    endured(node, polite, f"pings, {read=}", lambda: [Pour(node, HANDSHAKE + b"\r\n", pings, read=read)])


def test_the_node_serves_on(node: NodeProcess) -> None:
    status, _, body = node.call("GET", "/v1/load/stats?cluster=c")
    assert status == 200
    assert len(msgspec.json.decode(body)["data"]) == 100
    assert Path(f"/proc/{node.process.pid}").exists()
