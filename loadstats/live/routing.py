# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Which socket is where, and who may open it. An ASGI application for websockets; runs on the server's event loop."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast

from channels.db import database_sync_to_async
from channels.routing import URLRouter
from django.urls import path, re_path

from edge import envelope
from edge.caller import Caller, Scope
from edge.client import client_of
from edge.doors import SOCKET, Doors
from edge.errors import ContractError, Forbidden, NotFound, TooMany, Unauthorized
from edge.places import UNBOUNDED, Places
from edge.reach import check_all, check_cluster
from edge.session_caller import cookie_caller
from loadstats.live.consumers import LoadConsumer
from loadstats.live.feed import Feed

AsgiScope = Mapping[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]


def sockets(feed: Feed, doors: Doors, places: Places | None = None) -> SocketDoor:
    """All websockets of a node. `places` of clients are unbounded without."""
    consumer = LoadConsumer.as_asgi(feed=feed)

    async def nothing(scope: AsgiScope, receive: Receive, send: Send) -> None:
        feed.meter.refused["path"] += 1
        await refuse(scope, send, NotFound(f"{scope['path']}: no such socket"))

    async def within_reach(scope: AsgiScope, receive: Receive, send: Send) -> None:
        cluster, caller = scope["url_route"]["kwargs"].get("cluster"), scope["caller"]
        try:
            if caller is not None:
                check_all(caller, scope["path"]) if cluster is None else check_cluster(caller, cluster)
        except Forbidden as problem:
            feed.meter.refused["key"] += 1
            await refuse(scope, send, problem)
        else:
            await consumer(scope, receive, send)

    routes = [
        path("ws/load/", cast("Any", within_reach)),
        re_path(r"^ws/load/(?P<cluster>(?s:.{1,256}))/\Z", cast("Any", within_reach)),
        re_path("", cast("Any", nothing)),
    ]
    return SocketDoor(
        URLRouter(routes), feed, doors, Places("sockets", "Sockets", UNBOUNDED) if places is None else places
    )


class SocketDoor:
    """Asks the doors for each handshake, and hands on what they let in.

    A browser lets any page of the world open a socket here, and says only whose page it is. The socket's `caller` in
    the ASGI scope is who opened it; None for a stranger.
    """

    def __init__(self, application: Any, feed: Feed, doors: Doors, places: Places) -> None:
        self._application = application
        self._feed = feed
        self._doors = doors
        self._places = places

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        """Hand on, or refuse with the contract's error."""
        problem = self._doors.head_fault(SOCKET, scope["headers"])
        if problem is not None:
            self._feed.meter.refused["origin"] += 1
            await refuse(scope, send, problem)
            return
        try:
            caller = await self._caller(scope)
        except ContractError as error:
            self._feed.meter.refused["key"] += 1
            await refuse(scope, send, error)
            return
        address = scope.get("client")
        client = client_of(address[0] if address else "", caller)
        reason = self._places.try_take(client)
        if reason:
            self._feed.meter.refused["quota"] += 1
            await refuse(scope, send, TooMany(reason))
            return
        try:
            await self._application({**scope, "caller": caller}, receive, send)
        finally:
            self._places.give_back(client)

    async def _caller(self, scope: AsgiScope) -> Caller | None:
        """Return who opens the socket. The accounts are read only if nothing else lets it in."""
        headers: dict[bytes, bytes] = {}
        for name, value in scope["headers"]:
            headers.setdefault(name, value)
        client = scope.get("client")
        address = client[0] if client else ""
        try:
            return self._doors.caller(Scope.READ, headers, address)
        except Unauthorized:
            cookies = headers.get(b"cookie")
            proved: Caller | None = None
            if cookies is not None:
                proved = await database_sync_to_async(cookie_caller)(cookies.decode("latin-1"))
            if proved is None:
                raise
            return proved


async def refuse(scope: AsgiScope, send: Send, problem: ContractError) -> None:
    """Answer the handshake with an error; Daphne knows only 403 without a body."""
    if "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close"})
        return
    headers = [(b"content-type", envelope.CONTENT_TYPE)]
    if isinstance(problem, Unauthorized):
        headers.append((b"www-authenticate", b"Bearer"))
    if problem.retry_seconds:
        headers.append((b"retry-after", b"%d" % problem.retry_seconds))
    await send({"type": "websocket.http.response.start", "status": problem.status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": envelope.error(problem, b"")})
