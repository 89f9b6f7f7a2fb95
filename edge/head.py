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

# No longer than a trace id is echoed: a longer one is parsed, and its head is measured.
_find_trace_line = regex(rb"\r\n[Tt]race[Ii]d: ?([\x21-\x7e\x80-\xff]{0,256})(?=\r\n)").search


class Head(Struct, frozen=True):
    """The parsed head of a hot request.

    `route`: the route of its method and path.
    `query`: the raw query string.
    `headers`: the first field of each name; names in lower case.
    `content_length`: of the body, in bytes.
    `keep_alive`: the client wants the connection kept.
    `http_1_0`: the request is HTTP/1.0.
    `is_open`: the doors let in everybody with this head.
    `fault`: why they let in nobody with it; None if they may.
    """

    route: Route
    query: bytes
    headers: dict[bytes, bytes]
    content_length: int
    keep_alive: bool = True
    http_1_0: bool = False
    is_open: bool = False
    fault: ContractError | None = None


class Heads:
    """The heads seen lately, by their bytes. A full one is emptied, which costs one parse of each head."""

    def __init__(self, capacity: int = 4096, longest: int = 2048) -> None:
        self._capacity = capacity
        self._longest = longest
        self._heads: dict[bytes, Head] = {}

    def __len__(self) -> int:
        return len(self._heads)

    def split(self, data: bytes) -> tuple[Head | None, bytes | None, bytes]:
        """Read `data` as one whole request.

        Returns its head, its `TraceId` if it has one, and its body. The head is None if it is not known or if the
        lengths do not agree.
        """
        end = data.find(b"\r\n\r\n")
        if end < 0:
            return None, None, b""
        trace_id = None
        head = self._heads.get(data[:end])
        if head is None:
            line = _find_trace_line(data, 0, end + 2)
            if line is None:
                return None, None, b""
            head, trace_id = self._heads.get(data[: line.start()] + data[line.end() : end]), line[1]
        if head is None or len(data) != end + 4 + head.content_length:
            return None, None, b""
        return head, trace_id, data[end + 4 :]

    def learn(self, data: bytes, head: Head) -> None:
        """Remember `head`, which the parser read from `data`, found to be exactly one request."""
        end = data.find(b"\r\n\r\n")
        if end + 4 + head.content_length != len(data) or end > self._longest:
            return
        line = _find_trace_line(data, 0, end + 2)
        key = data[:end] if line is None else data[: line.start()] + data[line.end() : end]
        if b"\r\n " in key or b"\r\n\t" in key or _find_trace_line(key + b"\r\n"):
            return  # folded lines and a second TraceId: what they mean depends on the line that was cut
        if len(self._heads) >= self._capacity:
            self._heads.clear()
        self._heads[key] = head
        if line is not None and not line[1]:
            self._heads[data[:end]] = head  # most gateways send an empty one: known without a search
