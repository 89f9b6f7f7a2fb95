# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The streams that sockets listen to. The ledger is read once per interval while there are sockets, and never else.

Owned by the event loop that the sockets are on, ours or another server's. Each stream that changed makes one message.
It is sent once to the stream's group in Channels' layer. This node has one member in the group, which hands the message
to the stream's sockets. If the layer fails, messages go straight to the sockets.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from time import time_ns
from typing import Any

from edge.lasting import Lasting
from loadstats.ledger import Ledger
from loadstats.live.cluster_view import ClusterView
from loadstats.live.meter import SocketMeter
from loadstats.live.stream import Stream, group_name
from loadstats.live.subscription import Message, Subscription
from loadstats.live.summary_view import SummaryView
from loadstats.live.view import View

logger = logging.getLogger("loadstats.live")

ALIVE_SECONDS = 5.0  # without a change, until a stream sends a sign of life
LAYER_SECONDS = 1.0  # how long a message may take through the layer and back
AWAY_SECONDS = 5.0  # how long a layer that failed is not used


class Full(Exception):
    """The limit of sockets is reached."""


class Stopped(Exception):
    """The node is stopping."""


class Feed:
    """Sends streams to sockets.

    `ledger`: what streams show.
    `node`: this node's name.
    `layer`: returns the channel layer. Channels has no types.
    `interval_seconds`: the time between two looks at the ledger.
    `max_clients`: how many sockets may be open at once.
    `wall_ns`: the clock that messages show, in wall-clock nanoseconds.
    `meter`: counts of sockets and messages.
    `lasting`: ends the sockets of callers whose key or session ends.
    """

    def __init__(
        self,
        ledger: Ledger,
        node: str,
        layer: Callable[[], Any],
        *,
        interval_seconds: float,
        max_clients: int,
        wall_ns: Callable[[], int] = time_ns,
        lasting: Lasting | None = None,
    ) -> None:
        self.meter = SocketMeter()
        self.lasting = Lasting() if lasting is None else lasting
        self._ledger = ledger
        self._node = node
        self._layer = layer
        self._interval = interval_seconds
        self._max_clients = max_clients
        self._wall_ns = wall_ns
        self._streams: dict[str | None, Stream] = {}  # by cluster; None is the summary
        self._ticker: asyncio.Task[None] | None = None
        self._openings: dict[Stream, asyncio.Task[object]] = {}
        self._relays: dict[Stream, asyncio.Task[None]] = {}  # until they have left their group
        self._away_until = 0.0  # the loop's time
        self._stopped = False

    # As a part of the server's loop

    def start(self) -> None:
        """Do nothing. The first socket starts the ticker, also on the loop of another server."""

    async def stop(self) -> None:
        """Stop all streams and take no more sockets. The server closes those that are open."""
        self._stopped = True
        tasks = [*self._relays.values(), *([self._ticker] if self._ticker is not None else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # For sockets

    async def join(self, cluster: str | None) -> Subscription:
        """Subscribe to a cluster's stream, or with None to the summary. Raises Full and Stopped."""
        if self._stopped:
            raise Stopped
        if self.meter.open >= self._max_clients:
            raise Full
        stream = self._streams.get(cluster) or self._open(cluster)
        subscription = Subscription(stream.snapshot, self._fell_back)
        stream.subscriptions[subscription] = None
        self.meter.clients[stream.kind] += 1
        try:
            await asyncio.shield(self._openings[stream])
        except BaseException:
            self.leave(cluster, subscription)
            raise
        return subscription

    def leave(self, cluster: str | None, subscription: Subscription) -> None:
        """End a subscription. The last one ends its stream, and the last stream ends the ticker."""
        stream = self._streams[cluster]
        del stream.subscriptions[subscription]
        self.meter.clients[stream.kind] -= 1
        if stream.subscriptions:
            return
        del self._streams[cluster]
        self._openings.pop(stream).cancel()
        if stream in self._relays:
            self._relays[stream].cancel()
        if not self._streams and self._ticker is not None:
            self._ticker.cancel()
            self._ticker = None

    def _fell_back(self) -> None:
        self.meter.fell_back += 1

    def _open(self, cluster: str | None) -> Stream:
        if cluster is None:
            view: View = SummaryView(self._ledger, self._node)
        else:
            view = ClusterView(self._ledger, cluster, self._node)
        kind = "summary" if cluster is None else "cluster"
        stream = self._streams[cluster] = Stream(view, group_name(self._node, cluster), kind, self._wall_ns)
        stream.sent_at = asyncio.get_running_loop().time()
        self._openings[stream] = asyncio.create_task(stream.look())
        self._relays[stream] = relay = asyncio.create_task(self._relay(stream))
        relay.add_done_callback(lambda _: self._relays.pop(stream))
        if self._ticker is None:
            self._ticker = asyncio.create_task(self._tick())
        return stream

    # Out to the group

    async def _tick(self) -> None:
        """Send what changed, once per interval."""
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            for stream in list(self._streams.values()):
                try:
                    await self._step(stream)
                except Exception:
                    logger.exception("group %s: a look failed; the next one is in %g s", stream.group, self._interval)
                await asyncio.sleep(0)
            # If a look takes longer than an interval, the rest of the node still gets its share of the loop.
            await asyncio.sleep(max(self._interval - (loop.time() - began), self._interval / 5))

    async def _step(self, stream: Stream) -> None:
        now = asyncio.get_running_loop().time()
        if stream not in self._openings or not self._openings[stream].done():
            return
        news = await stream.look()
        if news is None and now - stream.sent_at >= ALIVE_SECONDS:
            news = stream.alive()
        if news is not None:
            stream.sent_at = now
            await self._send(stream, news, now)

    async def _send(self, stream: Stream, news: Message, now: float) -> None:
        """Send a message to the group, or straight to the sockets if the layer does not work."""
        if stream.channel is not None and now >= self._away_until:
            layer = self._layer()
            try:
                async with asyncio.timeout(LAYER_SECONDS):
                    if stream.unheard_since is None:
                        stream.unheard_since = now
                    elif now - stream.unheard_since > LAYER_SECONDS:
                        await layer.group_add(stream.group, stream.channel)  # a layer may forget: Redis was emptied
                        raise TimeoutError("what was sent did not come back")  # noqa: TRY301
                    await layer.group_send(stream.group, {"type": "load.news", **news._asdict()})
            except Exception as error:
                stream.unheard_since = None
                self._layer_failed(error)
            else:
                return
        await stream.hand_out(news)

    # Back from the group

    async def _relay(self, stream: Stream) -> None:
        """Receive the group's messages as its member in this node, and hand them to the sockets."""
        while True:
            try:
                await self._listen(stream)
            except Exception as error:
                self._layer_failed(error)
            await asyncio.sleep(LAYER_SECONDS)

    async def _listen(self, stream: Stream) -> None:
        layer = self._layer()
        channel = await layer.new_channel()
        try:
            await layer.group_add(stream.group, channel)
            stream.channel, stream.unheard_since = channel, None
            while True:
                message = await layer.receive(channel)
                stream.unheard_since = None
                await stream.hand_out(Message(message["kind"], message["version"], message["text"]))
        finally:
            stream.channel = None
            with suppress(Exception):
                async with asyncio.timeout(LAYER_SECONDS):
                    await layer.group_discard(stream.group, channel)

    def _layer_failed(self, error: Exception) -> None:
        self.meter.layer_failures += 1
        now = asyncio.get_running_loop().time()
        if now >= self._away_until:
            why = str(error) or type(error).__name__
            logger.warning("channel layer: %s; sockets are served without it for %g s", why, AWAY_SECONDS)
            self._away_until = now + AWAY_SECONDS
