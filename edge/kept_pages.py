# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Answers that are the same for everybody while the node runs: made once, then given out without Django.

Owned by the event loop. Bounded, for only what views and the static files mark is kept: each path at most twice,
as gzip and plain.
"""

from __future__ import annotations

from collections.abc import Mapping

from django.http import HttpResponse
from msgspec import Struct

from edge.compression import takes_gzip
from edge.page_stream import PageStream

Headers = tuple[tuple[bytes, bytes], ...]

NOT_MODIFIED_KEEPS = frozenset({b"cache-control", b"date", b"etag", b"expires", b"last-modified", b"vary"})  # RFC 9110


class PageAnswer(Struct, frozen=True):
    """An answer, without the trace id, which is each request's own.

    `pieces`: the body.
    `made_once`: it may be kept, and given to everybody who asks for its path.
    `stream`: makes the body in place of `pieces` while it is sent; None for most pages.
    """

    status: int
    headers: Headers
    pieces: tuple[bytes, ...]
    made_once: bool = False
    stream: PageStream | None = None


class MadeOnce(HttpResponse):
    """A view's answer to a GET that depends on nothing but its path. It is kept if it is a 200."""


class KeptPages:
    """The answers kept, by path and by whether the client takes gzip."""

    def __init__(self) -> None:
        self._answers: dict[tuple[str, bool], PageAnswer] = {}

    def keep(self, path: str, headers: Mapping[bytes, bytes], answer: PageAnswer) -> None:
        """Keep what was answered to a GET of this path with these headers."""
        self._answers[path, _gzip(headers)] = answer

    def find(self, method: str, path: str, headers: Mapping[bytes, bytes]) -> PageAnswer | None:
        """Return the answer to a request; 304 where the client has it already. None if there is none.

        A part (`Range`) is answered with the whole, as a server may.
        """
        answer = self._answers.get((path, _gzip(headers))) if method in {"GET", "HEAD"} else None
        if answer is None:
            return None
        own = dict(answer.headers)
        for condition, name in ((b"if-none-match", b"etag"), (b"if-modified-since", b"last-modified")):
            if condition in headers:
                # A client gives back what it was given, so that equality is enough.
                return _not_modified(answer) if own.get(name) == headers[condition] else answer
        return answer if method == "GET" else PageAnswer(answer.status, answer.headers, ())


def _gzip(headers: Mapping[bytes, bytes]) -> bool:
    return takes_gzip(headers.get(b"accept-encoding", b""))


def _not_modified(answer: PageAnswer) -> PageAnswer:
    return PageAnswer(304, tuple(each for each in answer.headers if each[0] in NOT_MODIFIED_KEEPS), ())
