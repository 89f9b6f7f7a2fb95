# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The contract's envelope around every answer, and the trace ids in it. Pure, but for a counter that `next` guards."""

from __future__ import annotations

from itertools import count
from re import compile as regex
from uuid import UUID

import msgspec

from edge.errors import ContractError

CONTENT_TYPE = b"application/json; charset=utf-8"
INTERNAL_TYPE = b"application/msgpack"
MAX_TRACE_BYTES = 256
COLD_HEADER = b"X-Metadata-Center-Cold"
"""For how many seconds the node has been cold. Absent from the answers of a node that is not."""

_plain = regex(rb"[A-Za-z0-9_.:/+=@-]*").fullmatch


def ok(data: bytes, trace_id: bytes) -> bytes:
    """Return the body of a 200. `data` is JSON already, `trace_id` as `json_text` makes it."""
    return b'{"status":"OK","error":null,"data":%b,"trace_id":"%b"}' % (data, trace_id)


def error(problem: ContractError, trace_id: bytes) -> bytes:
    """Return the body of any other answer."""
    return b'{"status":"ERROR","error":%b,"data":%b,"trace_id":"%b"}' % (
        msgspec.json.encode({"code": problem.code, "message": problem.message, "reason": problem.reason}),
        problem.data,
        trace_id,
    )


def trace_text(trace_id: bytes) -> str:
    """Return a trace id as text. In UTF-8 its bytes are the same again; what is none is shown byte by byte."""
    try:
        return trace_id.decode()
    except UnicodeDecodeError:
        return trace_id.decode("latin-1")


def json_text(trace_id: bytes) -> bytes:
    """Return a trace id from a header, which may hold any byte, as the inside of a JSON string."""
    if _plain(trace_id) is not None:
        return trace_id
    return msgspec.json.encode(trace_text(trace_id))[1:-1]


def _cut(trace_id: bytes) -> bytes:
    cut = trace_id[:MAX_TRACE_BYTES]
    try:
        cut.decode()
    except UnicodeDecodeError as error:
        if error.reason == "unexpected end of data":
            return cut[: error.start]
    return cut


class TraceIds:
    """Fresh ids for requests that bring none: UUIDs of version 4 whose last 48 bits count on from a random start.

    `random_bits` is 128 random bits. Six times cheaper than `uuid4`, and as unlikely to meet another node's.
    """

    def __init__(self, random_bits: int) -> None:
        text = str(UUID(int=random_bits, version=4))
        self._prefix = text[:24].encode()
        self._numbers = count(int(text[24:], 16))

    def fresh(self) -> bytes:
        """Return a new id of 36 characters."""
        return b"%b%012x" % (self._prefix, next(self._numbers) & 0xFFFFFFFFFFFF)

    def of(self, header: bytes | None) -> bytes:
        """Return the `TraceId` header cut to 256 bytes, between two characters, or a fresh id."""
        if header:
            return header if len(header) <= MAX_TRACE_BYTES else _cut(header)
        # As `fresh`, without the call: every request comes through here.
        return b"%b%012x" % (self._prefix, next(self._numbers) & 0xFFFFFFFFFFFF)
