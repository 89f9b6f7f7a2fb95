# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Django's pages as an ASGI application that can't starve calls. Runs on the event loop; Django on its few threads.

A request is read whole before it waits for a thread, and its answer is made whole before it is sent, so that neither a
slow sender nor a slow reader holds a thread. A file of many rows is made piece by piece: a thread makes one, and is
free while it is sent. One whose client leaves while it waits is dropped. What is the same for everybody is made once,
and then answered from here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Any, Protocol

from django.template.loader import render_to_string

from edge.arrival import KEY, Arrival, arrive
from edge.asgi import AsgiScope, Receive, Send, wants_page
from edge.client import client_of
from edge.dispatcher import Dispatcher
from edge.envelope import CONTENT_TYPE
from edge.errors import ContractError, TooMany, Unavailable
from edge.kept_pages import KeptPages, PageAnswer
from edge.page_stream import PageStream
from edge.page_threads import NoRoom, PageThreads
from edge.pages import CONTENT_SECURITY_POLICY

RETRY_SECONDS = 2
# A refusal is held back so long, from half of it to all: clients that ask again at once would keep the loop busy with
# refusing them, and those that came together would be refused together.
REFUSAL_SECONDS = 1.0
STATIC = "/static/"
GOLDEN = 0.618034  # its multiples are spread evenly, however many there are


class Pages(Protocol):
    """What makes answers."""

    def answer(self, scope: dict[str, Any], body: bytes) -> PageAnswer: ...


class PageApp:
    """An ASGI application of HTTP alone.

    `pages`: makes answers, on any thread.
    `dispatcher`: makes trace ids; counts and logs what is answered without a thread.
    `threads`: what pages are made on.
    `own`: by path: other threads for the few pages that people's may not hold up.
    """

    def __init__(
        self, pages: Pages, dispatcher: Dispatcher, threads: PageThreads, own: Mapping[str, PageThreads]
    ) -> None:
        self._pages = pages
        self._dispatcher = dispatcher
        self._threads = threads
        self._own = own
        self._kept = KeptPages()
        self._spread = 0.0  # of the last refusal
        self._busy = Unavailable("as many pages are being made here as may be: ask again in a moment")
        self._pages_of: dict[int, bytes] = {  # by the code of the refusal
            each.code: render_to_string("problem.html", {"problem": each, "trace_id": ""}).encode()
            for each in (self._busy, TooMany("you have asked for as many pages at a time as one client may"))
        }

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        headers = dict(reversed(scope["headers"]))  # the first of each name
        arrival = arrive(headers.get(b"traceid"), self._dispatcher.trace_ids)
        body = await _whole_body(receive)
        if body is None:
            return
        answer = self._kept.find(scope["method"], scope["path"], headers)
        if answer is not None:
            self._record(scope, arrival, scope["path"], answer)
        else:
            left = asyncio.ensure_future(_leaves(receive))
            try:
                answer = await self._make({**scope, KEY: arrival}, body, headers, left)
                if answer is None:
                    return
                if answer.stream is not None:
                    await self._send_stream(scope, answer, answer.stream, arrival.trace_id, left, send)
                    return
            finally:
                left.cancel()
        await _send(answer, arrival.trace_id, send)

    async def _make(
        self, scope: AsgiScope, body: bytes, headers: Mapping[bytes, bytes], left: asyncio.Future[None]
    ) -> PageAnswer | None:
        """Return the answer of Django, or that there is no room; None if the client has left."""
        threads = self._own.get(scope["path"], self._threads)
        try:
            with threads.places.place(_client(scope)):
                answer = await threads.run(partial(self._pages.answer, scope, body), left)
        except NoRoom:
            answer = await self._refuse(scope, headers, left, self._busy)
        except TooMany as problem:
            answer = await self._refuse(scope, headers, left, problem)
        else:
            if answer is not None and answer.made_once and self._may_keep(scope["path"]):
                self._kept.keep(scope["path"], headers, answer)
        return answer

    async def _send_stream(
        self,
        scope: AsgiScope,
        answer: PageAnswer,
        stream: PageStream,
        trace_id: bytes,
        left: asyncio.Future[None],
        send: Send,
    ) -> None:
        """Send an answer whose body is made meanwhile. It keeps its client's place, which was free a moment ago."""
        threads = self._own.get(scope["path"], self._threads)
        try:
            with threads.places.place(_client(scope)):
                headers = [*answer.headers, (b"x-trace-id", trace_id)]
                await send({"type": "http.response.start", "status": answer.status, "headers": headers})
                while scope["method"] != "HEAD":
                    piece = await threads.run(stream.next_piece, left, begun=True)
                    if piece is None:
                        return
                    if not piece:
                        break
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
                await send({"type": "http.response.body", "body": b""})
        finally:
            stream.close()

    def _may_keep(self, path: str) -> bool:
        """Return whether everybody may see a page that is the same for everybody."""
        return not self._dispatcher.doors.required or path.startswith(STATIC)

    async def _refuse(
        self, scope: AsgiScope, headers: Mapping[bytes, bytes], left: asyncio.Future[None], problem: ContractError
    ) -> PageAnswer | None:
        """Return that there is no room, after a while; None if the client has left."""
        self._spread = (self._spread + GOLDEN) % 1.0
        await asyncio.wait((left,), timeout=REFUSAL_SECONDS * (0.5 + self._spread / 2))
        if left.done():
            return None
        answer = self._refusal(headers, scope[KEY], problem)
        self._record(scope, scope[KEY], "other", answer, problem.reason)
        return answer

    def _refusal(self, headers: Mapping[bytes, bytes], arrival: Arrival, problem: ContractError) -> PageAnswer:
        status, body = self._dispatcher.refuse(problem, arrival.trace_id)
        again = (b"retry-after", b"%d" % RETRY_SECONDS)
        if not wants_page(headers.get(b"accept")):
            return PageAnswer(status, (again, (b"content-type", CONTENT_TYPE)), (body,))
        kind = (b"content-type", b"text/html; charset=utf-8")
        policy = (b"content-security-policy", CONTENT_SECURITY_POLICY.encode())
        return PageAnswer(status, (again, kind, policy), (self._pages_of[problem.code],))

    def _record(self, scope: AsgiScope, arrival: Arrival, route: str, answer: PageAnswer, reason: str = "") -> None:
        """Count and log what Django's middleware does not see."""
        client = scope.get("client")
        self._dispatcher.finish_other(
            arrival.trace_id,
            answer.status,
            method=scope["method"],
            route=route,
            client="" if client is None else client[0],
            reason=reason,
            wall_ns=arrival.wall_ns,
            duration_ns=arrival.duration_ns,
        )


def _client(scope: AsgiScope) -> str:
    """Return whom a request is charged to."""
    client = scope.get("client")
    return client_of("" if client is None else client[0])


async def _whole_body(receive: Receive) -> bytes | None:
    """Return the whole body; None if the client is gone. What is too large is cut off by whoever gave `receive`."""
    pieces: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        pieces.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(pieces)


async def _leaves(receive: Receive) -> None:
    """Return when the client is gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _send(answer: PageAnswer, trace_id: bytes, send: Send) -> None:
    head = [*answer.headers, (b"x-trace-id", trace_id)]
    names = {name for name, _ in head}
    if b"content-length" not in names and answer.status != 304:
        head.append((b"content-length", b"%d" % sum(map(len, answer.pieces))))
    await send({"type": "http.response.start", "status": answer.status, "headers": head})
    for piece in answer.pieces:
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})
