# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""A cluster's load, copied as it changes: reading it costs nothing. Needs the extra `live`.

`LiveLoad` is the copy, pure. `follow` keeps one for threads, `follow_async` for asyncio.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from threading import Event, Thread
from time import monotonic
from typing import Any
from urllib.parse import quote

from msgspec import DecodeError, Struct
from msgspec.json import Decoder
from websockets.asyncio.client import connect as connect_async
from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

from metadata_center_client.client import headers_of
from metadata_center_client.nodes import Nodes
from metadata_center_client.rows import EngineLoad, name_of

SILENT_SECONDS = 12.0  # a node sends something each five
AGAIN_SECONDS = 0.2  # until the next node is tried; twice as long each time that none sends anything
LONGEST_AGAIN_SECONDS = 3.2
# No proxy of the environment, as for calls. A node that hangs answers no close: that would be waited for 10 s.
OPTIONS: dict[str, Any] = {"open_timeout": 2, "close_timeout": 1, "max_size": None, "proxy": None}

log = logging.getLogger("metadata_center_client")


class _Update(Struct, frozen=True):
    type: str
    version: int = 0
    engines: list[EngineLoad] = []
    gone: list[str] = []


_decode = Decoder(_Update).decode


class LiveLoad:
    """The load of one cluster's engines.

    `engines`: by the engine's name. A new dict after each change: keep a reference to read one moment.
    `live`: whether a node is connected.
    `updated_at`: when a node last sent something, by `time.monotonic`; None before the first time.
    """

    def __init__(self) -> None:
        self.engines: dict[str, EngineLoad] = {}
        self.live = False
        self.updated_at: float | None = None
        self.ready = Event()
        self._version = 0

    @property
    def age_seconds(self) -> float:
        """How old the copy may be: the time since a node sent something."""
        return float("inf") if self.updated_at is None else monotonic() - self.updated_at

    def take(self, message: str | bytes) -> None:
        """Apply a message of the socket. Raises ValueError if one is missing before it."""
        try:
            update = _decode(message)
        except DecodeError as error:
            raise ValueError(f"not a message of a node: {error}") from None
        if update.type == "snapshot":
            self.engines = {name_of(row): row for row in update.engines}
        elif update.type == "changes":
            if update.version != self._version + 1:
                raise ValueError("a message is missing")
            engines = dict(self.engines)
            for name in update.gone:
                engines.pop(name, None)
            engines.update((name_of(row), row) for row in update.engines)
            self.engines = engines
        self._version = update.version
        self.updated_at = monotonic()
        self.live = True
        self.ready.set()


def addresses(urls: Iterable[str], cluster: str) -> list[str]:
    """Return the sockets of a cluster at the nodes, the one to try first at the beginning."""
    path = "/ws/load/" + quote(cluster, safe="") + "/"
    return ["ws" + node.url.removeprefix("http") + path for node in Nodes(urls).order(cluster, 0.0)]


@contextmanager
def follow(urls: Sequence[str], cluster: str, *, key: str | None = None) -> Iterator[LiveLoad]:
    """Keep a copy of a cluster's load in the background. `copy.ready` is set once it is filled.

    A thread reads the socket. If it ends, the next node is tried; until then the copy stays and `live` is False.
    """
    copy, closing = LiveLoad(), Event()
    thread = Thread(target=_read, args=(copy, addresses(urls, cluster), key, closing), daemon=True)
    thread.start()
    try:
        yield copy
    finally:
        closing.set()
        thread.join(SILENT_SECONDS)


def _read(copy: LiveLoad, places: list[str], key: str | None, closing: Event) -> None:
    turn, again = 0, AGAIN_SECONDS
    while not closing.is_set():
        place = places[turn % len(places)]
        turn += 1
        try:
            with connect(place, additional_headers=headers_of(key), **OPTIONS) as socket:
                quiet_since = monotonic()
                try:
                    while not closing.is_set() and monotonic() - quiet_since < SILENT_SECONDS:
                        with suppress(TimeoutError):
                            copy.take(socket.recv(timeout=0.25))
                            quiet_since, again = monotonic(), AGAIN_SECONDS
                finally:
                    copy.live = False  # before the socket is closed, which may take a while
        except (OSError, WebSocketException, ValueError) as error:
            log.info("the live load from %s ended: %s", place, error)
        closing.wait(again)
        again = min(2 * again, LONGEST_AGAIN_SECONDS)


@asynccontextmanager
async def follow_async(urls: Sequence[str], cluster: str, *, key: str | None = None) -> AsyncIterator[LiveLoad]:
    """Keep a copy of a cluster's load by a task. The copy is filled when the block begins, if a node answers."""
    copy = LiveLoad()
    filled = asyncio.Event()
    task = asyncio.create_task(_read_async(copy, addresses(urls, cluster), key, filled))
    try:
        with suppress(TimeoutError):
            async with asyncio.timeout(2):
                await filled.wait()
        yield copy
    finally:
        task.cancel()
        await asyncio.wait({task})  # `await task` could not tell its end from a cancellation of this block


async def _read_async(copy: LiveLoad, places: list[str], key: str | None, filled: asyncio.Event) -> None:
    turn, again = 0, AGAIN_SECONDS
    while True:
        place = places[turn % len(places)]
        turn += 1
        try:
            async with connect_async(place, additional_headers=headers_of(key), **OPTIONS) as socket:
                try:
                    while True:
                        async with asyncio.timeout(SILENT_SECONDS):
                            message = await socket.recv()
                        copy.take(message)
                        filled.set()
                        again = AGAIN_SECONDS
                finally:
                    copy.live = False  # before the socket is closed, which may take a while
        except (OSError, WebSocketException, ValueError) as error:  # TimeoutError is an OSError
            log.info("the live load from %s ended: %s", place, error)
        await asyncio.sleep(again)
        again = min(2 * again, LONGEST_AGAIN_SECONDS)
