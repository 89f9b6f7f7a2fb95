# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The body of a page that is made while it is sent: a file of many rows. Each piece is made on one of Django's threads.

Always holds: at most one piece is made ahead, and no thread waits for a slow reader.
"""

from __future__ import annotations

from django.http import StreamingHttpResponse

PIECE_BYTES = 64 * 1024  # sent at once


class PageStream:
    """A response's body, piece by piece. One caller at a time, on any thread."""

    def __init__(self, response: StreamingHttpResponse) -> None:
        self._response = response
        self._parts = iter(response)

    def next_piece(self) -> bytes:
        """Make the next piece. Returns no bytes at the end. Raises what the view's iterator raises."""
        gathered: list[bytes] = []
        size = 0
        for part in self._parts:
            gathered.append(part)
            size += len(part)
            if size >= PIECE_BYTES:
                break
        return b"".join(gathered)

    def close(self) -> None:
        """Free what the view's iterator holds. May be called twice."""
        self._response.close()
