# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Finds out who is signed in, for calls that are awaited on the event loop: reading the accounts takes a page's thread.

Owned by the event loop. It keeps nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

from edge.caller import Caller
from edge.client import client_of
from edge.errors import Unavailable
from edge.page_threads import NoRoom, PageThreads


class SessionReader:
    """Reads sessions.

    `threads`: those of pages, so that a client can ask for as much as by pages and no more.
    `read`: returns who is signed in by a `Cookie` header; None if no one is. Called on one of the threads.
    """

    def __init__(self, threads: PageThreads, read: Callable[[str], Caller | None]) -> None:
        self._threads = threads
        self._read = read

    async def caller(self, cookies: bytes, client: str) -> Caller | None:
        """Return who is signed in; None if no one is.

        `client`: the address.
        Raises TooMany or Unavailable if there is no room, and Unavailable while the accounts' database is away.
        """
        stays: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        try:
            with self._threads.places.place(client_of(client)):
                return await self._threads.run(partial(self._read, cookies.decode("latin-1")), stays)
        except NoRoom:
            raise Unavailable("as many pages are being made here as may be: ask again in a moment") from None
