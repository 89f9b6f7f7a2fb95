# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The sockets. Each has one consumer, on the server's event loop.

A consumer has no channel of its own. Its stream has one member in the group, which hands it each message. Measured with
200 sockets: a channel for each costs 58 µs a message; Channels' own `dispatch` 108 µs, because it closes database
connections in a thread, and a consumer has none.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any

from channels.consumer import AsyncConsumer
from channels.exceptions import StopConsumer

from loadstats.live.feed import Feed, Full, Stopped
from loadstats.live.subscription import Subscription

logger = logging.getLogger("loadstats.live")

GOING_AWAY, FAILED, TRY_LATER = 1001, 1011, 1013  # RFC 6455 and the IANA registry of close codes
PROOF_ENDED = 4401  # of the range for applications: 401 as a close code


class LoadConsumer(AsyncConsumer):  # type: ignore[misc] # Channels has no types
    """Sends a stream to one client. What the client sends is read and ignored."""

    channel_layer_alias = ""  # none

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._cluster: str | None = None
        self._subscription: Subscription | None = None
        self._writer: asyncio.Task[None] | None = None
        self._closer: asyncio.Task[None] | None = None
        self._over: Callable[[], None] = lambda: None

    async def dispatch(self, message: Mapping[str, Any]) -> None:
        """Handle a message. Unlike Channels' own, it does not close database connections."""
        match message["type"]:
            case "websocket.connect":
                await self._connect()
            case "websocket.disconnect":
                self._disconnect()
                raise StopConsumer

    async def _connect(self) -> None:
        self._cluster = self.scope["url_route"]["kwargs"].get("cluster")
        await self.send({"type": "websocket.accept"})
        try:
            self._subscription = await self._feed.join(self._cluster)
        except Full:
            self._feed.meter.refused["full"] += 1
            await self._close(TRY_LATER, "too many clients")
        except Stopped:
            await self._close(GOING_AWAY, "the node stops")
        else:
            self._writer = asyncio.create_task(self._write(self._subscription))
            self._over = self._feed.lasting.begin(self.scope.get("caller"), self._end_with_proof)

    def _end_with_proof(self) -> None:
        """Close the socket, for the key or the session that let it in holds no longer."""
        if self._writer is not None:
            self._writer.cancel()
        self._closer = asyncio.create_task(self._close(PROOF_ENDED, "the key or the log-in that opened it has ended"))

    async def _close(self, code: int, reason: str) -> None:
        await self.send({"type": "websocket.close", "code": code, "reason": reason})

    def _disconnect(self) -> None:
        self._over()
        if self._writer is not None:
            self._writer.cancel()
            self._writer = None  # no circle of references is left for a full collection
        if self._subscription is not None:
            self._feed.leave(self._cluster, self._subscription)
            self._subscription = None

    async def _write(self, subscription: Subscription) -> None:
        """Send each message when the client has room for it."""
        sent, send = self._feed.meter.sent, self.base_send
        try:
            while True:
                news = await subscription.next()
                await send({"type": "websocket.send", "text": news.text})
                sent[news.kind] += 1
        except OSError:
            pass  # the client is gone; the server sends a disconnect for it
        except Exception:
            logger.exception("a socket ended")
            await self._close(FAILED, "internal error")
