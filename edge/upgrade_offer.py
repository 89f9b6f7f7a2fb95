# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""A head that offers another protocol (`Upgrade: h2c`), and the same head without the offer. Pure."""

from __future__ import annotations

from collections.abc import Iterable

OFFER = frozenset({b"upgrade", b"connection", b"http2-settings"})


def without_offer(method: bytes, url: bytes, version: bytes, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Return the bytes of a head without what offers another protocol. That the client wants to close stays in it."""
    head = [method, b" ", url, b" HTTP/", version, b"\r\n"]
    for name, value in headers:
        if name.lower() not in OFFER:
            head += [name, b": ", value, b"\r\n"]
        elif name.lower() == b"connection" and b"close" in value.lower():
            head.append(b"Connection: close\r\n")
    head.append(b"\r\n")
    return b"".join(head)
