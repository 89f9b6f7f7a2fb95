# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Why a peer is not spoken with, in words for operators."""

from __future__ import annotations

import errno
import socket
import ssl
import zlib

import msgspec
import pytest

from replication.client import BadAnswer
from replication.fault import refusal, sentence
from replication.link import FAULTS, Refused


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (TimeoutError("no answer for 1 s"), "no answer for 1 s"),
        (TimeoutError(), "the connection failed"),
        (TimeoutError(errno.ETIMEDOUT, "Connection timed out"), "no answer from its address"),
        (ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"), "connection refused: nothing listens there"),
        (ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"), "it closed the connection"),
        (ConnectionResetError("the peer closed the connection"), "the peer closed the connection"),
        (OSError(errno.EHOSTUNREACH, "No route to host"), "its address cannot be reached"),
        (OSError(errno.EADDRNOTAVAIL, "x"), "cannot assign requested address"),
        (OSError(), "the connection failed"),
        (socket.gaierror(-2, "Name or service not known"), "name or service not known"),
        (ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1006)"), "no TLS can be agreed on"),
        (BadAnswer("no HTTP answer: x"), "it answered what this node cannot read: no HTTP answer: x"),
        (msgspec.ValidationError("Expected `int`"), "it answered what this node cannot read: Expected `int`"),
        (RecursionError(), "it answered what this node cannot read"),
        (zlib.error("Error -3"), "it answered what this node cannot read: Error -3"),
        (Refused("/v1/replica/summary", 503), "it answered 503 to /v1/replica/summary"),
    ],
)
def test_each_fault_is_a_sentence(error: Exception, words: str) -> None:
    assert sentence(error).startswith(words)


@pytest.mark.parametrize("kind", [*FAULTS, LookupError, OverflowError, ConnectionAbortedError, BrokenPipeError])
def test_no_fault_is_told_by_the_name_of_its_class(kind: type[Exception]) -> None:
    for error in (kind.__new__(kind), *([] if kind is UnicodeDecodeError else [kind("a\n  long story " * 100)])):
        words = sentence(error)
        assert 5 < len(words) < 300
        assert "\n" not in words
        assert not any(each.__name__ in words for each in (kind, *FAULTS) if each is not zlib.error)
        assert "Errno" not in words


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (
            b'{"error":{"code":1,"message":"invalid input","reason":"seq: too large"}}',
            ": invalid input, seq: too large",
        ),
        (b'{"error":{"code":1,"message":"not allowed","reason":""}}', ": not allowed"),
        (b'{"error":null}', ""),
        (b"<html>bad gateway</html>", ""),
        (b"\xff\x00", ""),
        (b"", ""),
    ],
)
def test_a_refusal_says_what_the_peer_said_and_no_json(body: bytes, words: str) -> None:
    assert refusal(400, body) == f"it answered 400{words}"
