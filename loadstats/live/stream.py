# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""One stream: its sockets, what they were sent last, and in which version.

Owned by one event loop. A stream exists while it has sockets.
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

# Sockets woken in one turn of the loop. Measured: 25 µs each with a message of 25 KB. A call waits for one turn at the
# most.
PORTION = 8


async def taking_turns(steps: Steps[T]) -> T:
    """Run the steps, one in each turn of the loop. Returns what they return."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            found: T = end.value
            return found
        await asyncio.sleep(0)


def group_name(node: str, cluster: str | None) -> str:
    """Return the name of a stream's group in the channel layer.

    It differs for each node and stream, and keeps to Channels' alphabet and 100 characters.
    """
    digest = sha256(repr((node, cluster)).encode()).hexdigest()[:32]
    return f"load.{sub('[^A-Za-z0-9.-]', '-', node)[:50]}.{digest}"


class Stream:
    """Sends one view of the ledger to its sockets.

    `view`: what is shown.
    `group`: the stream's group in the channel layer.
    `kind`: "summary" or "cluster", as metrics name it.
    `wall_ns`: the clock that messages show, in wall-clock nanoseconds.
    `subscriptions`: the sockets, in the order in which they came.
    `channel`: this node's member of the group while it listens, else None.
    `unheard_since`: the loop's time when the group was sent a message that has not come back yet, else None.
    `sent_at`: the loop's time of the last message.
    """

    def __init__(self, view: View, group: str, kind: str, wall_ns: Callable[[], int]) -> None:
        self.group = group
        self.kind = kind
        self.subscriptions: dict[Subscription, None] = {}
        self.channel: str | None = None
        self.unheard_since: float | None = None
        self.sent_at = 0.0
        self._view = view
        self._wall_ns = wall_ns
        self._version = 0  # 0 before the first look
        self._snapshot: Message | None = None

    async def look(self) -> Message | None:
        """Read the ledger. Returns the message to send; None if nothing changed."""
        body = await taking_turns(self._view.look())
        if body is None:
            self._version = self._version or 1
            return None
        self._version += 1
        self._snapshot = None
        return self._message("changes", body)

    def snapshot(self) -> Message:
        """Return everything as of the last look. It is made once for all sockets."""
        if self._snapshot is None:
            self._snapshot = self._message("snapshot", self._view.snapshot())
        return self._snapshot

    def alive(self) -> Message:
        """Return a sign of life: nothing has changed."""
        return self._message("alive", self._view.alive())

    def _message(self, kind: str, members: bytes) -> Message:
        return Message(kind, self._version, message(kind, self._version, self._wall_ns(), members))

    async def hand_out(self, message: Message) -> None:
        """Put a message into all subscriptions, some in each turn of the loop."""
        for number, subscription in enumerate(list(self.subscriptions), 1):
            subscription.put(message)
            if number % PORTION == 0:
                await asyncio.sleep(0)
