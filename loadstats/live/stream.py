# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""One stream: what it has told, in which version, and the sockets that listen to it.

Owned by one event loop. A stream is there as long as somebody listens.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from hashlib import sha256
from re import sub
from typing import TypeVar

from loadstats.live.subscription import Message, Subscription
from loadstats.live.view import Steps, View, message

T = TypeVar("T")

# Sockets woken in one turn of the loop. Measured: 25 µs each with a message of 25 KB; whoever reports load waits for
# no more than one turn.
PORTION = 8


async def taking_turns(steps: Steps[T]) -> T:
    """Do the steps, one in each turn of the loop."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            found: T = end.value
            return found
        await asyncio.sleep(0)


def group_name(node: str, cluster: str | None) -> str:
    """The channel layer's group of a stream: within Channels' alphabet and 100 characters, and another one for each
    node and stream."""
    digest = sha256(repr((node, cluster)).encode()).hexdigest()[:32]
    return f"load.{sub('[^A-Za-z0-9.-]', '-', node)[:50]}.{digest}"


class Stream:
    """`wall_ns` is the clock that messages show."""

    def __init__(self, view: View, group: str, kind: str, wall_ns: Callable[[], int]) -> None:
        self.group = group
        self.kind = kind
        self.subscriptions: dict[Subscription, None] = {}  # a set in order
        self.channel: str | None = None  # this node's member of the group, while it listens
        self.unheard_since: float | None = None  # the loop's time when the group was sent what did not come back yet
        self.sent_at = 0.0  # the loop's time
        self._view = view
        self._wall_ns = wall_ns
        self._version = 0  # 0 before the first look
        self._snapshot: Message | None = None

    async def look(self) -> Message | None:
        """Read the ledger. The message to send, where something changed."""
        body = await taking_turns(self._view.look())
        if body is None:
            self._version = self._version or 1
            return None
        self._version += 1
        self._snapshot = None
        return self._message("changes", body)

    def snapshot(self) -> Message:
        """All, as of the last look; made once for as many sockets as want it."""
        if self._snapshot is None:
            self._snapshot = self._message("snapshot", self._view.snapshot())
        return self._snapshot

    def alive(self) -> Message:
        """That nothing has changed."""
        return self._message("alive", self._view.alive())

    def _message(self, kind: str, members: bytes) -> Message:
        return Message(kind, self._version, message(kind, self._version, self._wall_ns(), members))

    async def hand_out(self, message: Message) -> None:
        """Give a message to all sockets, some in each turn of the loop."""
        for number, subscription in enumerate(list(self.subscriptions), 1):
            subscription.put(message)
            if number % PORTION == 0:
                await asyncio.sleep(0)
