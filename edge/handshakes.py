# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""TLS handshakes under way, bounded in number: who waits on purpose crowds out its own, not others'.

Where too many are under way, the oldest one of the client that has the most is ended. An honest handshake takes
milliseconds, so one that waits on purpose is the oldest before long.

Owned by the event loop.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

logger = logging.getLogger("edge")

# Measured: one that waits holds 55 KB.
MOST = 1024
# Between two lines about handshakes that failed. A stranger can make any number of them.
LOG_SECONDS = 60.0

Work = asyncio.Task[Any]


class Handshakes:
    """The handshakes under way, at most `most`.

    `done`: handshakes that succeeded.
    `failed`: those that did not, by why: "refused" (no TLS, or no certificate that is good), "late", "crowded_out".
    """

    def __init__(self, most: int = MOST) -> None:
        self.done = 0
        self.failed = {"refused": 0, "late": 0, "crowded_out": 0}
        self._most = most
        self._number = 0
        self._by_client: dict[str, dict[Work, None]] = {}  # in the order in which they came
        self._quiet_until = float("-inf")

    def __len__(self) -> int:
        return self._number

    def begin(self, client: str, work: Work) -> None:
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
        """End all."""
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
        return True

    def _failed(self, kind: str, client: str, why: str) -> None:
        self.failed[kind] += 1
        now = asyncio.get_running_loop().time()
        if now >= self._quiet_until:
            self._quiet_until = now + LOG_SECONDS
            logger.warning("TLS: a handshake with %s failed: %s; the metrics count all", client, why)
