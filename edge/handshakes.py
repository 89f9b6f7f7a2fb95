# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""TLS handshakes: few begin in a turn of the loop, and each client has few under way.

A client that makes its handshakes wait on purpose makes its own next ones wait, not those of others. It cannot end more
of them at once than a turn of the loop has time for, as the end of one takes up to half a millisecond. Clients take
turns.

Where too many are under way, of many clients, the oldest one of the client that has the most is ended. An honest
handshake takes milliseconds, so one that waits on purpose is the oldest before long.

Owned by the event loop.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Any, NamedTuple

logger = logging.getLogger("edge")

# Measured: one that waits holds 55 KB.
MOST = 1024
# Of a client. With 50 ms from it and back, that is 600 handshakes a second.
MOST_OF_CLIENT = 32
# Begun in a turn. One takes up to 1 ms.
TURN = 4
# Between two lines about handshakes that failed. A stranger can make any number of them.
LOG_SECONDS = 60.0

Work = asyncio.Task[Any]


class PendingHandshake(NamedTuple):
    """A connection whose handshake waits for its turn.

    `begin`: begins it.
    `drop`: gives the connection up.
    """

    begin: Callable[[], Work]
    drop: Callable[[], None]


class Handshakes:
    """The handshakes under way: at most `most`, and of each client `most_of_client`. Others wait.

    `done`: handshakes that succeeded.
    `failed`: those that did not, by why: "refused" (no TLS, or no certificate that is good), "late", "crowded_out".
    `waiting`: handshakes that have not begun.
    """

    def __init__(self, most: int = MOST, most_of_client: int = MOST_OF_CLIENT) -> None:
        self.done = 0
        self.failed = {"refused": 0, "late": 0, "crowded_out": 0}
        self.waiting = 0
        self._most = most
        self._most_of_client = most_of_client
        self._number = 0
        self._by_client: dict[str, dict[Work, None]] = {}  # in the order in which they came
        self._pending: dict[str, deque[PendingHandshake]] = {}
        self._next: OrderedDict[str, None] = OrderedDict()  # clients with one that can begin, by their turns
        self._scheduled = False
        self._quiet_until = float("-inf")

    def __len__(self) -> int:
        return self._number

    def add(self, client: str, pending: PendingHandshake) -> None:
        """Begin a handshake when its turn comes and its client has room for it."""
        self._pending.setdefault(client, deque()).append(pending)
        self.waiting += 1
        self._look(client)

    def _look(self, client: str) -> None:
        """Give a client a turn if it has a handshake that waits, and room for it."""
        if client in self._pending and len(self._by_client.get(client, ())) < self._most_of_client:
            self._next[client] = None
            self._schedule()

    def _schedule(self) -> None:
        """Have one turn come, if a client waits for it."""
        if self._next and not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._turn)

    def _turn(self) -> None:
        """Begin as many as a turn of the loop has time for, of one client after the other."""
        self._scheduled = False
        for _ in range(min(TURN, len(self._next))):
            client, _ = self._next.popitem(last=False)
            pending = self._pending[client]
            first = pending.popleft()
            self.waiting -= 1
            if not pending:
                del self._pending[client]
            self._begun(client, first.begin())
            self._look(client)
        self._schedule()

    def _begun(self, client: str, work: Work) -> None:
        """Note one that has begun. Another one may be ended for it."""
        self._by_client.setdefault(client, {})[work] = None
        self._number += 1
        if self._number > self._most:
            crowd = max(self._by_client, key=lambda each: len(self._by_client[each]))
            oldest = next(iter(self._by_client[crowd]))
            self._end(crowd, oldest)
            self._failed("crowded_out", crowd, f"more than {self._most} at a time")
            oldest.cancel()

    def succeed(self, client: str, work: Work) -> None:
        """Note that one is done."""
        if self._end(client, work):
            self.done += 1

    def fail(self, client: str, work: Work, kind: str, why: str) -> None:
        """Note that one failed."""
        if self._end(client, work):
            self._failed(kind, client, why)

    def close(self) -> None:
        """End all, and give up those that wait."""
        pending, self._pending, self.waiting = self._pending, {}, 0
        self._next.clear()
        for each in pending.values():
            for waiting in each:
                waiting.drop()
        for client, works in list(self._by_client.items()):
            for work in list(works):
                self._end(client, work)
                work.cancel()

    def _end(self, client: str, work: Work) -> bool:
        """Take one off the list. Returns False if it was not there any more."""
        mine = self._by_client.get(client, {})
        if work not in mine:
            return False
        del mine[work]
        if not mine:
            del self._by_client[client]
        self._number -= 1
        self._look(client)
        return True

    def _failed(self, kind: str, client: str, why: str) -> None:
        self.failed[kind] += 1
        now = asyncio.get_running_loop().time()
        if now >= self._quiet_until:
            self._quiet_until = now + LOG_SECONDS
            logger.warning("TLS: a handshake with %s failed: %s; the metrics count all", client, why)
