# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Notices among nodes: every few seconds a node asks each peer for what it lacks. Runs on the event loop.

A notice is known by its origin and number, so it may come from any peer and more than once. A node that stops hands its
last notices to its peers, since it cannot be asked any more. A peer of a release that does not know the call has none.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection
from typing import Annotated

from msgspec import Meta, Struct
from msgspec.msgpack import Decoder, Encoder

from edge.call import Call
from edge.errors import InvalidInput
from replication.fault import sentence
from replication.link import FAULTS, PeerLink, Refused
from replication.paths import VERSION
from replication.push_reader import UNREADABLE
from replication.sender import LinkState
from runtime.notices.log import MOST_COPIES, MOST_ORIGINS, NoticeLog
from runtime.notices.notice import NoticeCopy, Number, OriginText

logger = logging.getLogger("replication")

ASK_SECONDS = 3.0
MOST_ANSWERS = 40
"""Answers in a row that one peer is asked for: more than a log holds."""
LAST_COPIES = 20
"""Notices that a stopping node hands on."""

Copies = Annotated[list[NoticeCopy], Meta(max_length=MOST_COPIES)]


class NoticesWanted(Struct, frozen=True, array_like=True):
    """What a node lacks.

    `seen`: for each origin the last revision before which the sender has all.
    `copies`: the sender's own last notices, where it stops.
    """

    version: int
    seen: Annotated[dict[OriginText, Number], Meta(max_length=MOST_ORIGINS + 1)]
    copies: Copies = []


class NoticesGiven(Struct, frozen=True, array_like=True):
    """The answer: what the other lacks, the oldest first. There may be more if it is full."""

    version: int
    copies: Copies


_encode = Encoder().encode
_read_wanted = Decoder(NoticesWanted).decode
_read_given = Decoder(NoticesGiven).decode


class NoticeExchange:
    """Carries notices between this node's log and its peers'.

    `links`: returns the links to all peers.
    """

    def __init__(self, log: NoticeLog, links: Callable[[], Collection[PeerLink]]) -> None:
        self._log = log
        self._links = links
        self._task: asyncio.Task[None] | None = None
        self._last: asyncio.Task[None] | None = None

    # What peers ask

    def answer(self, call: Call) -> bytes:
        """`POST /v1/replica/notices`: the notices that a peer lacks."""
        try:
            wanted = _read_wanted(call.body)
        except UNREADABLE as error:
            raise InvalidInput(f"body: {error}") from None
        if wanted.version != VERSION:
            raise InvalidInput(f"version: expected {VERSION}, got {wanted.version}")
        self._log.take(wanted.copies, partial=True)
        return _encode(NoticesGiven(VERSION, self._log.beyond(wanted.seen)))

    # What this node asks

    def start(self) -> None:
        """Begin to ask."""
        self._task = asyncio.get_running_loop().create_task(self._keep_asking())

    def flush(self) -> None:
        """Begin to hand this node's last notices to its peers."""
        if self._task is not None and self._last is None:
            self._last = asyncio.get_running_loop().create_task(self._part())

    def flushed(self) -> bool:
        """Return whether each peer that answers has them."""
        return self._last is None or self._last.done()

    async def stop(self) -> None:
        """End."""
        tasks = [task for task in (self._task, self._last) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _keep_asking(self) -> None:
        while True:
            await self.ask_all()
            await asyncio.sleep(ASK_SECONDS)

    async def ask_all(self) -> None:
        """Ask every peer that answers, one after the other."""
        for link in self._links():
            if link.sender.state is LinkState.CONNECTED:
                await self._ask(link)

    async def _ask(self, link: PeerLink) -> None:
        for _ in range(MOST_ANSWERS):
            given = await self._given(link, NoticesWanted(VERSION, self._log.seen()))
            if given is None:
                return
            self._log.take(given.copies)
            if len(given.copies) < MOST_COPIES:
                return

    async def _part(self) -> None:
        last = NoticesWanted(VERSION, self._log.seen(), self._log.own_latest(LAST_COPIES))
        connected = [link for link in self._links() if link.sender.state is LinkState.CONNECTED]
        await asyncio.gather(*(self._given(link, last) for link in connected))

    async def _given(self, link: PeerLink, wanted: NoticesWanted) -> NoticesGiven | None:
        """Return a peer's answer; None if it gave none that can be used. The next round asks again."""
        try:
            return _read_given(await link.notices(_encode(wanted)))
        except Refused as refused:
            if not refused.old:
                logger.debug("peer %s: its notices: %s", link.name, refused)
        except FAULTS as error:
            logger.debug("peer %s: its notices: %s", link.name, sentence(error))
        return None
