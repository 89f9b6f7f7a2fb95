# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What came in on one connection and is not parsed yet. It is cut so that one piece never holds parts of two requests.

A request ends with its head, with the last byte of a body of known length, or with the empty line behind the last
chunk. So a piece ends at an empty line (`CRLF CRLF`), where a body of known length ends, or after `LONGEST_PIECE`
bytes. A piece may end sooner than it has to, which costs a call of the parser.

The intake also counts a request's frame: all its bytes but the body. These are blank lines before it, its head, chunk
sizes, their extensions, and trailers. A parser takes them without end, so the lane bounds their sum. Pure.
"""

from __future__ import annotations

LONGEST_PIECE = 4096  # bytes of a frame; 700 chunks of one byte take the parser 0.7 ms
FREE_BYTES = 16  # of each chunk's frame are not counted: they are bounded as the chunk's data is

_EMPTY_LINE = b"\r\n\r\n"


class Intake:
    """Bytes in the order in which they came, and how far the request that is being parsed has come."""

    def __init__(self) -> None:
        self._data = b""
        self._at = 0  # how much of it was cut off
        self._finish()

    def _finish(self) -> None:
        self._last = b""  # the end of the last piece: an empty line may begin there
        self._body_left = 0  # of a body of known length
        self._chunked = False
        self._chunks = 0  # since the last look at the frame
        self._head = 0  # bytes up to the end of the head
        self._frame = 0

    def __len__(self) -> int:
        return len(self._data) - self._at

    def add(self, data: bytes) -> None:
        """Take bytes that were received."""
        self._data = self._data[self._at :] + data if self else data
        self._at = 0

    def clear(self) -> None:
        """Forget all that is not parsed."""
        self._data = b""
        self._at = 0

    def cut(self) -> memoryview:
        """Return the next piece for the parser."""
        data, start = self._data, self._at
        if self._body_left:
            end = min(len(data), start + self._body_left)
            self._body_left -= end - start
        else:
            end = self._end_of_piece()
            self._frame += end - start
        self._at = end
        if end == len(data):
            self.clear()
        return memoryview(data)[start:end]

    def _end_of_piece(self) -> int:
        data, start = self._data, self._at
        end = min(len(data), start + LONGEST_PIECE)
        seam = (self._last + data[start : start + 3]).find(_EMPTY_LINE) if self._last else -1
        if seam >= 0:
            end = start + seam + len(_EMPTY_LINE) - len(self._last)
            self._last = b""
        elif (found := data.find(_EMPTY_LINE, start, end)) >= 0:
            end = found + len(_EMPTY_LINE)
            self._last = b""
        else:
            self._last = (self._last + data[max(start, end - 3) : end])[-3:]
        return end

    # From the parser, about the piece that was cut last

    def end_head(self, length: int, *, chunked: bool) -> None:
        """Note that the head ended with this piece. `length` is that of the body, unless it is chunked."""
        self._head = self._frame
        self._chunked = chunked
        self._body_left = 0 if chunked else length

    def begin_chunk(self) -> None:
        """Note a chunk."""
        self._chunks += 1

    def take_body(self, size: int) -> None:
        """Note that so many bytes of the piece belong to the body."""
        if self._chunked:
            self._frame -= size

    def end_request(self) -> None:
        """Note that the request ended with this piece."""
        self._finish()

    @property
    def frame(self) -> int:
        """Bytes of the request's frame so far, once the piece is parsed."""
        if self._chunks:
            self._frame = max(self._head, self._frame - FREE_BYTES * self._chunks)
            self._chunks = 0
        return self._frame
