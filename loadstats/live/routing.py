# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Which socket is where, and who may open it. An ASGI application for websockets; runs on the server's event loop."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, cast
from urllib.parse import urlsplit

from channels.routing import URLRouter
from channels.security.websocket import OriginValidator
from django.http.request import split_domain_port, validate_host
from django.urls import path, re_path

from loadstats.live.consumers import LoadConsumer
from loadstats.live.feed import Feed

AsgiScope = Mapping[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]


def sockets(feed: Feed, *, origins: Sequence[str], allowed_hosts: Sequence[str]) -> OwnOrigin:
    """All websockets of a node."""
    consumer = LoadConsumer.as_asgi(feed=feed)

    async def nothing(scope: AsgiScope, receive: Receive, send: Send) -> None:
        feed.meter.refused["path"] += 1
        await refuse(scope, send, 404)

    routes = [
        path("ws/load/", consumer),
        re_path(r"^ws/load/(?P<cluster>(?s:.{1,256}))/\Z", consumer),
        re_path("", cast("Any", nothing)),
    ]
    return OwnOrigin(URLRouter(routes), feed, origins, allowed_hosts)


class OwnOrigin(OriginValidator):  # type: ignore[misc] # Channels has no types
    """Lets in pages of this very host, of `origins` (as Channels' OriginValidator takes them), and what is no page: a
    program sends no Origin. A browser always does, and lets any page of the world open a socket here.

    With `allowed_hosts` the Host must be among them too, as for every page: a name of a stranger's may lead here.
    """

    def __init__(self, application: Any, feed: Feed, origins: Sequence[str], allowed_hosts: Sequence[str]) -> None:
        super().__init__(application, list(origins))
        self._feed = feed
        self._allowed_hosts = allowed_hosts

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        """Hand on, or refuse with 403."""
        headers = dict(scope["headers"])
        host = headers.get(b"host", b"").decode("latin-1").lower()
        origin = headers.get(b"origin")
        allowed = validate_host(split_domain_port(host)[0], self._allowed_hosts)
        if allowed and (origin is None or self._is_allowed(origin.decode("latin-1").lower(), host)):
            await self.application(scope, receive, send)
        else:
            self._feed.meter.refused["origin"] += 1
            await refuse(scope, send, 403)

    def _is_allowed(self, origin: str, host: str) -> bool:
        try:
            parts = urlsplit(origin)
            return (bool(host) and parts.netloc == host) or self.valid_origin(parts)
        except ValueError:  # not a URL
            return False


async def refuse(scope: AsgiScope, send: Send, status: int) -> None:
    """Answer the handshake with an HTTP status; Daphne knows only 403."""
    if "websocket.http.response" in scope.get("extensions", {}):
        await send({"type": "websocket.http.response.start", "status": status, "headers": []})
        await send({"type": "websocket.http.response.body", "body": b""})
    else:
        await send({"type": "websocket.close"})
