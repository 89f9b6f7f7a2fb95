# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Request heads, parsed once.

A gateway's requests differ in their bodies; their heads are a few byte strings sent over and over. What httptools made
of a head depends on its bytes alone, so `Heads` remembers it, and a request whose head is known needs no parser. The
`TraceId` line, which may differ each time, is cut out first. Owned by the event loop.
"""

from __future__ import annotations

from re import compile as regex

from msgspec import Struct

from edge.call import Route
from edge.errors import ContractError
from edge.head_key import HeadKey

END_OF_HEAD = b"\r\n\r\n"

# No longer than a trace id is echoed: a longer one is parsed, and its head is measured.
_find_trace_line = regex(rb"\r\n[Tt]race[Ii]d: ?([\x21-\x7e\x80-\xff]{0,256})(?=\r\n|\Z)").search


class Head(Struct, frozen=True):
    """The parsed head of a hot request.

    `route`: the route of its method and path.
    `query`: the raw query string.
    `headers`: the first field of each name; names in lower case.
    `content_length`: of the body, in bytes.
    `keep_alive`: the client wants the connection kept.
    `persistent`: the answer needs no `Connection` header, as the request is HTTP/1.1 and the connection is kept.
    `is_open`: the doors let in everybody with this head.
    `fault`: why they let in nobody with it; None if they may.
    `key`: the key in it; None if there is none, or if the doors ask for none.
    """

    route: Route
    query: bytes
    headers: dict[bytes, bytes]
    content_length: int
    keep_alive: bool = True
    persistent: bool = True
    is_open: bool = False
    fault: ContractError | None = None
    key: HeadKey | None = None


class Heads:
    """The heads seen lately. A full one is emptied, which costs one parse of each head.

    `known`: by their bytes up to the empty line, and without a `TraceId` that says something.
    """

    def __init__(self, capacity: int = 4096, longest: int = 2048) -> None:
        self._capacity = capacity
        self._longest = longest
        self.known: dict[bytes, Head] = {}

    def __len__(self) -> int:
        return len(self.known)

    def split(self, data: bytes) -> tuple[Head | None, bytes | None, bytes]:
        """Read `data` as one whole request.

        Returns its head, its `TraceId` if it has one, and its body. The head is None if it is not known or if the
        lengths do not agree.
        """
        top, end, body = data.partition(END_OF_HEAD)
        head, trace_id = self.known.get(top), None
        if head is None and end:
            head, trace_id = self.find_traced(top)
        if head is None or not end or len(body) != head.content_length:
            return None, None, b""
        return head, trace_id, body

    def find_traced(self, top: bytes) -> tuple[Head | None, bytes | None]:
        """Return the head with these bytes up to the empty line, and its `TraceId`; None if it is not known so."""
        line = _find_trace_line(top)
        if line is None:
            return None, None
        return self.known.get(top[: line.start()] + top[line.end() :]), line[1]

    def learn(self, data: bytes, head: Head) -> None:
        """Remember `head`, which the parser read from `data`, if that is exactly one request."""
        top, end, body = data.partition(END_OF_HEAD)
        if not end or len(body) != head.content_length or len(top) > self._longest:
            return
        line = _find_trace_line(top)
        key = top if line is None else top[: line.start()] + top[line.end() :]
        if b"\r\n " in key or b"\r\n\t" in key or _find_trace_line(key):
            return  # folded lines and a second TraceId: what they mean depends on the line that was cut
        if len(self.known) >= self._capacity:
            self.known.clear()
        self.known[key] = head
        if line is not None and not line[1]:
            self.known[top] = head  # most gateways send an empty one: known without a search
