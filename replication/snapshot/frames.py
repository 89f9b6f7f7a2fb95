# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Bodies one after the other in a file, each with its length and its checksum. Pure.

A frame is the body's length in 4 bytes and its CRC-32 in 4 bytes, both with the high byte first, and the body. What is
behind a frame that is torn is not read: where the next one begins is not known.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct
from typing import BinaryIO, Final
from zlib import crc32

MOST_BYTES: Final = 256 * 1024 * 1024
"""Of a body. A length beyond it is no length."""

_HEAD: Final = Struct(">II")


def framed(body: bytes) -> bytes:
    """Return a body as a frame."""
    return _HEAD.pack(len(body), crc32(body)) + body


class FrameReader:
    """The bodies in a file, up to the first frame that is torn. Each iteration begins at the file's beginning.

    `torn_at`: at which byte the last iteration came upon a torn frame; None if there was none.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.torn_at: int | None = None

    def __iter__(self) -> Iterator[bytes]:
        file = self._file
        file.seek(0)
        self.torn_at = None
        at = 0
        while head := file.read(_HEAD.size):
            size, checksum = _HEAD.unpack(head) if len(head) == _HEAD.size else (MOST_BYTES + 1, 0)
            body = file.read(size) if size <= MOST_BYTES else b""
            if size > MOST_BYTES or len(body) < size or crc32(body) != checksum:
                self.torn_at = at
                return
            yield body
            at += _HEAD.size + size
