# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The history of load among nodes: kept in the snapshot, and pulled once from a peer by a node that has joined.

Runs on the event loop; the snapshot is read on the main thread before that. What of it cannot be read or pulled is left
out: the charts begin later, and nothing else is lost. A peer of a release that does not know the call has none.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from msgspec.msgpack import Decoder, Encoder

from edge.call import Call, Route
from edge.caller import Scope
from edge.errors import InvalidInput
from loadstats.history import History, HistoryCopies, HistoryWant
from replication.admission import Admission
from replication.fault import sentence
from replication.link import FAULTS, PeerLink, Refused
from replication.paths import HISTORY
from replication.push_reader import UNREADABLE
from replication.replica import Replica
from replication.sender import LinkState

logger = logging.getLogger("replication")

LOOK_SECONDS: Final = 0.5  # until there is a peer to pull from
MOST_PAGES: Final = 1100
"""Of one pull: more than a node has clusters, however few a page holds."""
ATTEMPTS: Final = 3
RETRY_SECONDS: Final = 5.0

_encode = Encoder().encode
_read_want = Decoder(HistoryWant).decode


class SharedHistory:
    """The history of one node, for its snapshot and its peers."""

    def __init__(self, history: History | None = None) -> None:
        self._copies = HistoryCopies(History() if history is None else history)

    def page(self, after: str) -> bytes:
        """Return the page of clusters behind a name."""
        return self._copies.page(after)[0]

    def pages(self) -> Iterable[bytes]:
        """Yield all pages. Each is a slice of work."""
        return self._copies.pages()

    def take(self, page: bytes, older_ms: int) -> None:
        """Merge a page of the snapshot, written so long ago. What cannot be read is left out."""
        try:
            for _ in self._copies.merge(page, older_ms):
                pass
        except UNREADABLE as error:
            logger.warning("a page of the snapshot's history is left out: %s", error)

    async def merge(self, page: bytes, older_ms: int = 0) -> str:
        """Merge a page that was read so long ago, slice by slice. Returns the last name on it; empty at the end. Raises
        one of UNREADABLE."""
        steps = self._copies.merge(page, older_ms)
        while True:
            try:
                next(steps)
            except StopIteration as end:
                return str(end.value)
            await asyncio.sleep(0)


class HistoryExchange:
    """Answers peers that ask for the history, and asks one peer once.

    `links`: returns the links to all peers.
    """

    def __init__(
        self,
        history: SharedHistory,
        replica: Replica,
        links: Callable[[], Sequence[PeerLink]],
        admission: Admission,
    ) -> None:
        self._history = history
        self._replica = replica
        self._links = links
        self._guard = admission.guard
        self._task: asyncio.Task[None] | None = None

    def route(self) -> Route:
        """Return the call that peers make."""
        return Route("POST", HISTORY, self._guard(self.answer, HISTORY), internal=True, scope=Scope.REPLICATE)

    def answer(self, call: Call) -> bytes:
        """`POST /v1/replica/history`: a page of this node's history."""
        try:
            want = _read_want(call.body)
        except UNREADABLE as error:
            raise InvalidInput(f"body: {error}") from None
        return self._history.page(want.after)

    def start(self) -> None:
        """Begin to look for a peer to pull from."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """Pull no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        for _ in range(ATTEMPTS):
            while not (able := self._able()):
                await asyncio.sleep(LOOK_SECONDS)
            failed = False
            for link in able:
                pulled = await self._pull(link)
                if pulled:
                    return
                failed = failed or pulled is None
            if not failed:
                return  # they are all of a release without it
            await asyncio.sleep(RETRY_SECONDS)

    def _able(self) -> list[PeerLink]:
        """Return the peers that can be asked, once this node has joined them."""
        if not self._replica.joined:
            return []
        return [link for link in self._links() if link.sender.state is LinkState.CONNECTED and link.sender.joined]

    async def _pull(self, link: PeerLink) -> bool | None:
        """Pull all pages of a peer. Returns False if it does not know the call, None if the pull failed."""
        connection = link.connection()
        try:
            after = ""
            for _ in range(MOST_PAGES):
                status, page = await connection.ask("POST", HISTORY, _encode(HistoryWant(after)))
                if status != 200:
                    raise Refused(HISTORY, status)  # noqa: TRY301
                last = await self._history.merge(page)
                if last <= after:
                    break
                after = last
        except (*FAULTS, Refused) as error:
            logger.info("peer %s: history not pulled: %s", link.name, sentence(error))
            return False if isinstance(error, Refused) and error.old else None
        finally:
            connection.close()
        logger.debug("peer %s: history pulled", link.name)
        return True
