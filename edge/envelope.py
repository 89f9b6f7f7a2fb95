# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The contract's envelope around every answer, and the trace ids in it. Pure, but for ids: any thread may take one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain, count, islice
from re import compile as regex
from uuid import UUID

import msgspec

from edge.errors import ContractError

CONTENT_TYPE = b"application/json; charset=utf-8"
INTERNAL_TYPE = b"application/msgpack"
MAX_TRACE_BYTES = 256
COLD_HEADER = b"X-Metadata-Center-Cold"
"""For how many seconds the node has been cold. Absent from the answers of a node that is not."""

OK = b'{"status":"OK","error":null,"data":%b,"trace_id":"%b"}'
"""The body of a 200, to fill with the data and with the trace id as `json_text` makes it."""

_plain = regex(rb"[A-Za-z0-9_.:/+=@-]*").fullmatch
_TAILS = tuple(b"%02x" % number for number in range(256))
_LAST_BLOCK = 2**40 - 1


def ok(data: bytes, trace_id: bytes) -> bytes:
    """Return the body of a 200. `data` is JSON already, `trace_id` as `json_text` makes it."""
    return OK % (data, trace_id)


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
    if trace_id.replace(b"-", b"").isalnum() or _plain(trace_id) is not None:  # the first is four times as fast
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

    `fresh`: returns a new id of 36 characters. They are plain: inside JSON they are the same.

    `random_bits` is 128 random bits. Fifty times cheaper than `uuid4`, and as unlikely to meet another node's.
    """

    def __init__(self, random_bits: int) -> None:
        text = str(UUID(int=random_bits, version=4))
        prefix = text[:24].encode()
        start = int(text[24:], 16)

        def block(number: int) -> Iterator[bytes]:
            """Return the ids that differ in their last two characters.

            Threads that come to the end of a block together may begin a block each. No id comes twice.
            """
            return map((b"%b%010x" % (prefix, number & _LAST_BLOCK)).__add__, _TAILS)

        first = islice(block(start // 256), start % 256, None)
        ids = chain(first, chain.from_iterable(map(block, count(start // 256 + 1))))
        self.fresh: Callable[[], bytes] = partial(next, ids)

    def of(self, header: bytes | None) -> bytes:
        """Return the `TraceId` header cut to 256 bytes, between two characters, or a fresh id."""
        if header:
            return header if len(header) <= MAX_TRACE_BYTES else _cut(header)
        return self.fresh()
