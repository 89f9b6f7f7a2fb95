# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The bytes of the answers that say what becomes of the connection. The lane formats all others itself. Pure."""

from __future__ import annotations


def answer_saying(
    start: bytes, trace_id: bytes, body: bytes, length: int | None, *, keep: bool, etag: bytes = b""
) -> bytes:
    """Return an answer with a `Connection` header.

    `start`: its head up to the trace id.
    `body`: empty for an answer to `HEAD`.
    `length`: what `Content-Length` says; None if the answer has no content.
    `keep`: the connection stays open.
    """
    word = b"keep-alive" if keep else b"close"
    tag = b'ETag: W/"%b"\r\n' % etag if etag else b""
    size = b"" if length is None else b"Content-Length: %d\r\n" % length
    return b"%b%b\r\nConnection: %b\r\n%b%b\r\n%b" % (start, trace_id, word, tag, size, body)
