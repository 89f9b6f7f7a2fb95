# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The handlers behind plain ASGI: for any ASGI server, and for what the lane hands over. Runs on the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from time import perf_counter_ns, time_ns
from typing import Any

from edge.call import AsyncHandler, Call, Route
from edge.caller import Caller
from edge.dispatcher import Dispatcher
from edge.envelope import CONTENT_TYPE, INTERNAL_TYPE
from edge.errors import BodyTooLarge, ContractError
from edge.trailing_slash import Redirect, find_redirect

AsgiScope = dict[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]
Asgi = Callable[[AsgiScope, Receive, Send], Awaitable[None]]
SignedInBy = Callable[[bytes, str], Awaitable[Caller | None]]
"""Returns who is signed in, by a `Cookie` header and the client's address. Raises ContractError."""


def wants_page(accept: bytes | None) -> bool:
    """Return whether a request comes from a browser, which gets Django's page instead of bare JSON."""
    return accept is not None and b"text/html" in accept


class HandlerApp:
    """An ASGI application: the dispatcher's routes, and `pages` (Django) for everything else.

    `signed_in`: returns who is signed in, for calls that wait. Without, Django answers those of people at once.
    """

    def __init__(
        self, dispatcher: Dispatcher, pages: Asgi, *, max_body_bytes: int, signed_in: SignedInBy | None = None
    ) -> None:
        self._dispatcher = dispatcher
        self._pages = pages
        self._max_body_bytes = max_body_bytes
        self._signed_in = signed_in

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        """Serve one HTTP request; other kinds of connection are Django's."""
        if scope["type"] == "http":
            doors = self._dispatcher.doors
            if (problem := doors.head_fault(scope["method"].encode(), scope["headers"])) is not None:
                await self._refuse(problem, scope, send)
                return
            route = self._dispatcher.table.find(
                scope["method"].encode(), scope["path"].encode("utf-8", "surrogateescape")
            )
            if route is not None:
                headers: dict[bytes, bytes] = {}
                for name, value in scope["headers"]:
                    headers.setdefault(name, value)
                by_session = doors.asks_session(route.scope, headers)
                if not wants_page(headers.get(b"accept")) and (not by_session or self._waits(route, scope)):
                    client = scope.get("client")
                    call = Call(scope["query_string"], b"", headers, client=client[0] if client else "")
                    if (credentials := scope.get("credentials")) is not None:
                        call.credentials = credentials
                        call.caller = credentials.caller_for(route.scope)
                    await self._serve(route, call, receive, send, by_session=by_session)
                    return
            query = scope["query_string"].decode("latin-1")
            redirect = find_redirect(self._dispatcher.table, scope["method"], scope["path"], query)
            if redirect is None:
                await self._page(scope, receive, send)
            else:
                await self._redirect(redirect, scope, send)
        else:
            await self._pages(scope, receive, send)

    async def _refuse(self, problem: ContractError, scope: AsgiScope, send: Send) -> None:
        """Answer with an error, whatever is asked for."""
        wall_ns = time_ns()
        sent = [value for name, value in scope["headers"] if name == b"traceid"]
        trace_id = self._dispatcher.trace_ids.of(sent[0] if sent else None)
        route = self._dispatcher.table.find(scope["method"].encode(), scope["path"].encode("utf-8", "surrogateescape"))
        client = scope.get("client")
        call = Call(scope["query_string"], b"", dict(scope["headers"]), client=client[0] if client else "")
        status, answer = self._dispatcher.refuse_head(route, call, problem, trace_id)
        await _answer(send, status, answer, CONTENT_TYPE, trace_id)
        self._count(scope, trace_id, status, wall_ns, problem.reason)

    async def _redirect(self, redirect: Redirect, scope: AsgiScope, send: Send) -> None:
        """Send the client to the call without the slash. Django would do the same, at a hundred times the cost."""
        wall_ns = time_ns()
        sent = [value for name, value in scope["headers"] if name == b"traceid"]
        trace_id = self._dispatcher.trace_ids.of(sent[0] if sent else None)
        location = (b"location", redirect.location.encode("latin-1"))
        head = [(b"x-trace-id", trace_id), (b"content-length", b"0"), location]
        await send({"type": "http.response.start", "status": redirect.status, "headers": head})
        await send({"type": "http.response.body", "body": b""})
        self._count(scope, trace_id, redirect.status, wall_ns)

    def _count(self, scope: AsgiScope, trace_id: bytes, status: int, wall_ns: int, reason: str = "") -> None:
        """Count and log an answer that neither a route nor Django gave."""
        client = scope.get("client")
        self._dispatcher.finish_other(
            trace_id,
            status,
            method=scope["method"],
            route=None,
            client=client[0] if client else "",
            reason=reason,
            wall_ns=wall_ns,
        )

    async def _page(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        """Let Django answer, unless the node is closed: pages change things too. A body that is too large is cut off
        before Django spools it."""
        if self._dispatcher.closed:
            trace_id = self._dispatcher.trace_ids.fresh()
            await _answer(send, *self._dispatcher.refuse_stopping(trace_id), CONTENT_TYPE, trace_id)
            return
        size = 0
        started = False
        wall_ns = time_ns()

        async def bounded() -> Mapping[str, Any]:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > self._max_body_bytes:
                raise BodyTooLarge(f"body: expected at most {self._max_body_bytes} bytes")
            return message

        async def watched(message: Mapping[str, Any]) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._pages(scope, bounded, watched)
        except BodyTooLarge as problem:
            if not started:
                trace_id = self._dispatcher.trace_ids.fresh()
                status, answer = self._dispatcher.refuse(problem, trace_id)
                await _answer(send, status, answer, CONTENT_TYPE, trace_id)
                self._count(scope, trace_id, status, wall_ns, problem.reason)

    def _waits(self, route: Route, scope: AsgiScope) -> bool:
        """Return whether a person's call is to wait. It changes nothing, so it needs no token of a page."""
        chosen = route.choose_async(scope["query_string"], self._max_body_bytes)
        return self._signed_in is not None and chosen is not None and chosen.idle and scope["method"] == "GET"

    async def _serve(self, route: Route, call: Call, receive: Receive, send: Send, *, by_session: bool = False) -> None:
        wall_ns, started = time_ns(), perf_counter_ns()
        trace_id = self._dispatcher.trace_ids.of(call.headers.get(b"traceid"))
        body = await self._body(receive)
        if body is None:
            return  # the client is gone
        call.body = body
        if len(body) > self._max_body_bytes:
            problem = BodyTooLarge(f"body: expected at most {self._max_body_bytes} bytes")
            call.reason = problem.reason
            status, answer = self._dispatcher.refuse(problem, trace_id)
        elif (async_handler := route.choose_async(call.query, len(body))) is None:
            status, answer = self._dispatcher.serve(route, call, trace_id)
        else:
            if by_session and (refused := await self._sign_in(call, trace_id)) is not None:
                served: tuple[int, bytes] | None = refused
            else:
                served = await self._serve_async(async_handler, route, call, trace_id, receive)
            if served is None:
                return
            status, answer = served
        kind = INTERNAL_TYPE if route.internal and status == 200 else CONTENT_TYPE
        await _answer(send, status, answer, kind, trace_id, call.etag, call.retry_seconds)
        duration_ns = perf_counter_ns() - started - call.waited_ns
        self._dispatcher.finish(route, call, trace_id, status, wall_ns, duration_ns)
        self._dispatcher.flush()  # servers other than ours have no timer for it

    async def _sign_in(self, call: Call, trace_id: bytes) -> tuple[int, bytes] | None:
        """Set a call's caller by its cookies. Returns status and body of a refusal; None if there is none."""
        assert self._signed_in is not None  # `_waits`
        try:
            call.caller = await self._signed_in(call.headers[b"cookie"], call.client)
        except ContractError as problem:
            call.reason, call.retry_seconds = problem.reason, problem.retry_seconds
            return self._dispatcher.refuse(problem, trace_id)
        return None

    async def _serve_async(
        self, async_handler: AsyncHandler, route: Route, call: Call, trace_id: bytes, receive: Receive
    ) -> tuple[int, bytes] | None:
        """Return status and body of an async handler's answer; None if its client did not wait for it."""
        work = self._dispatcher.serve_async(async_handler, route, call, trace_id)
        if not async_handler.idle:
            return await work
        tasks = asyncio.ensure_future(work), asyncio.ensure_future(_leaves(receive))
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            return tasks[0].result() if tasks[0].done() else None
        finally:
            for task in tasks:
                task.cancel()

    async def _body(self, receive: Receive) -> bytes | None:
        """Return the whole body, or just more than the limit of one that is too large; None if the client is gone."""
        parts: list[bytes] = []
        size = 0
        while size <= self._max_body_bytes:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            part = message.get("body", b"")
            parts.append(part)
            size += len(part)
            if not message.get("more_body", False):
                break
        return b"".join(parts)


async def _leaves(receive: Receive) -> None:
    """Return when the client is gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _answer(
    send: Send,
    status: int,
    body: bytes,
    content_type: bytes,
    trace_id: bytes,
    etag: bytes = b"",
    retry_seconds: int = 0,
) -> None:
    head = [(b"x-trace-id", trace_id)]
    if status != 304:
        head += [(b"content-type", content_type), (b"content-length", b"%d" % len(body))]
    if retry_seconds:
        head.append((b"retry-after", b"%d" % retry_seconds))
    if status == 401:
        head.append((b"www-authenticate", b"Bearer"))
    if etag:
        head.append((b"etag", b'W/"%b"' % etag))
    await send({"type": "http.response.start", "status": status, "headers": head})
    await send({"type": "http.response.body", "body": body})
