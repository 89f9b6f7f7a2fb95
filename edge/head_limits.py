# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What is wrong with a head that the parser accepts, and the bounds of a request. Immutable."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from edge.errors import BodyTooLarge, ContractError, HeadersTooLarge, InvalidInput, MethodNotAllowed


class HeadParser(Protocol):
    """What is asked of httptools' parser."""

    def get_method(self) -> bytes: ...

    def get_http_version(self) -> str: ...


class HeadLimits:
    """The bounds of one request.

    `max_header_bytes`: of its frame: all but the body.
    `max_body_bytes`: of its body.
    """

    __slots__ = ("max_body_bytes", "max_header_bytes")

    def __init__(self, max_header_bytes: int, max_body_bytes: int) -> None:
        self.max_header_bytes = max_header_bytes
        self.max_body_bytes = max_body_bytes

    def fault(
        self, parser: HeadParser, headers: Iterable[tuple[bytes, bytes]], length: int, frame: int
    ) -> ContractError | None:
        """Return what is wrong with a head, if anything.

        `headers`: all its fields.
        `length`: its content length.
        `frame`: bytes of the request so far.
        """
        if parser.get_method() == b"CONNECT":
            return MethodNotAllowed("CONNECT: this is no proxy", allow=())
        if frame > self.max_header_bytes:
            return self.head_too_large()
        if parser.get_http_version() == "1.1" and sum(name.lower() == b"host" for name, _ in headers) != 1:
            return InvalidInput("Host: expected exactly one")
        if length > self.max_body_bytes:
            return self.body_too_large()
        return None

    def head_too_large(self) -> HeadersTooLarge:
        """Return the error of a frame that is too large."""
        return HeadersTooLarge(
            f"head, chunk sizes and trailers: expected at most {self.max_header_bytes} bytes together"
        )

    def body_too_large(self) -> BodyTooLarge:
        """Return the error of a body that is too large."""
        return BodyTooLarge(f"body: expected at most {self.max_body_bytes} bytes")
