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


def json_text(trace_id: bytes) -> bytes:
    """Return a trace id from a header, which may hold any byte, as the inside of a JSON string."""
    if _plain(trace_id) is not None:
        return trace_id
    return msgspec.json.encode(trace_id.decode("latin-1"))[1:-1]


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
        """Return the `TraceId` header cut to 256 bytes, or a fresh id."""
        if header:
            return header[:MAX_TRACE_BYTES]
        # As `fresh`, without the call: every request comes through here.
        return b"%b%012x" % (self._prefix, next(self._numbers) & 0xFFFFFFFFFFFF)
