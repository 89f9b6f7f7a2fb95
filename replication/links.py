# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The links to all peers: who they are, joining them, and mending what differs.

Everything runs on the event loop that `start` is called on; `set_peers`, `sweep` and the journal's news may come from
any thread. Tasks are kept in `_tasks` by peer and started anew by the next sweep where one ended.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from random import Random
from threading import get_ident
from time import monotonic, time_ns

from edge.errors import InvalidInput
from replication.admission import Admission
from replication.client import Connection
from replication.journal import Journal
from replication.link import FAULTS, PeerLink, Refused
from replication.messages import Summary
from replication.pull import CachePull, Pull
from replication.replica import Replica, node_of
from replication.sender import Link, Sender
from runtime.health import PartState

logger = logging.getLogger("replication")

Peer = tuple[str, int]  # address and port

# Of the sweeps, while a pull of caches is unfinished: records go on being mended beside it.
CACHES_SHARE = 0.5


class Links:
    """`connect` makes a connection to a peer. `join_seconds` caps how long a starting node waits for its peers."""

    def __init__(
        self,
        replica: Replica,
        journal: Journal,
        admission: Admission,
        connect: Callable[[str, int], Connection],
        *,
        join_seconds: float,
        random: Random,
        observe: Callable[[float], None],
    ) -> None:
        self._replica = replica
        self._journal = journal
        self._admission = admission
        self._connect = connect
        self._join_seconds = join_seconds
        self._random = random
        self._observe = observe
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = 0
        self._wanted: tuple[Peer, ...] | None = None  # None: discovery has not answered yet
        self._links: dict[Peer, PeerLink] = {}
        self._tasks: dict[Peer, asyncio.Task[None]] = {}
        self._suspects: dict[Peer, frozenset[int]] = {}
        self._asked: set[Peer] = set()  # to be pulled from as a whole, by hand
        self._work: asyncio.Task[None] | asyncio.Task[bool] | None = None  # the join or the pull under way
        self._idle: set[PeerLink] = set()  # those that wait for news
        self._waking = False  # news are on their way to the links
        self._known = asyncio.Event()

    # From any thread

    def set_peers(self, peers: Sequence[Peer]) -> None:
        """These are the peers from now on."""
        self._wanted = tuple(peers)
        self._admission.set_peers(address for address, _ in peers)
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._rewire)

    def sweep(self) -> None:
        """Start anew what ended, let the journal go of what all have, mend one peer's differences."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._sweep)

    def resync(self, name: str) -> bool:
        """Pull everything from the peer of this name: at once, or by a later sweep, when it can be asked and no other
        pull is under way. False where there is none."""
        for peer, link in list(self._links.items()):
            if link.name == name and self._loop is not None:
                self._loop.call_soon_threadsafe(self._asked.add, peer)
                self._loop.call_soon_threadsafe(self._sweep)
                return True
        return False

    def state(self) -> tuple[PartState, str]:
        """A probe for `Health`."""
        if not self._replica.joined:
            return PartState.STARTING, "catching up with peers"
        lost = [link.name for link in self.links() if link.sender.link is Link.LOST]
        if lost:
            return PartState.DEGRADED, f"lost: {', '.join(lost)}"
        return PartState.OK, f"{len(self._links)} peers"

    def links(self) -> list[PeerLink]:
        """The peers as they are, by name."""
        return sorted(list(self._links.values()), key=lambda link: link.name)  # noqa: C414 copied at once, then sorted

    # On the loop

    def start(self) -> None:
        """Begin: push to the peers known, and join them."""
        self._loop = asyncio.get_running_loop()
        self._thread = get_ident()
        self._journal.on_append = self._appended
        self._rewire()
        self._work = self._loop.create_task(self._join())

    async def stop(self) -> None:
        """End all links. What the journal still holds is pushed first, where peers take it at once."""
        self._journal.on_append = lambda: None
        for _ in range(20):
            behind = [
                link for link in self._links.values() if link.sender.link is Link.CONNECTED and link.sender.lag_events
            ]
            if not behind:
                break
            await asyncio.sleep(0.025)
        tasks = [*self._tasks.values(), *([self._work] if self._work is not None else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._tasks.clear()
        self._loop = None

    def _appended(self) -> None:
        """The journal has news; called for each event. Only a link that waits for some need hear of it: the others
        look by themselves when their turn comes."""
        if self._waking or self._loop is None or not self._idle:
            return
        self._waking = True
        if get_ident() == self._thread:
            self._loop.call_soon(self._wake)
        else:
            self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        self._waking = False
        for link in self._idle:
            link.wake()

    def _rewire(self) -> None:
        if self._wanted is None or self._loop is None:
            return
        for peer in [peer for peer in self._links if peer not in self._wanted]:
            self._tasks.pop(peer).cancel()
            gone = self._links.pop(peer)
            self._suspects.pop(peer, None)
            self._asked.discard(peer)
            self._replica.cache.owed.gone(gone.name, self._names())
        for address, port in self._wanted:
            if (address, port) not in self._links:
                self._links[address, port] = link = PeerLink(
                    f"[{address}]:{port}" if ":" in address else f"{address}:{port}",
                    Sender(self._journal, self._random.random),
                    lambda address=address, port=port: self._connect(address, port),  # type: ignore[misc]
                    now=monotonic,
                    observe=self._observe,
                    stepped=self._trim,
                    idle=self._idle,
                )
                self._tasks[address, port] = self._loop.create_task(link.run())
        self._known.set()

    def _sweep(self) -> None:
        if self._loop is None:
            return
        self._trim()
        self._replica.hold([link.sender for link in self._links.values()], monotonic())
        for peer, task in self._tasks.items():
            if task.done():
                logger.error("peer %s: its link ended: %r; starting anew", self._links[peer].name, task.exception())
                self._tasks[peer] = self._loop.create_task(self._links[peer].run())
        if self._work is not None and not self._work.done():
            return
        able = [peer for peer, link in self._links.items() if link.sender.link is Link.CONNECTED]
        gaps = [peer for peer in able if node_of(self._links[peer].sender.origin) in self._replica.gaps]
        asked = [peer for peer in able if peer in self._asked]
        if urgent := asked or gaps:
            peer = self._random.choice(urgent)
            self._asked.discard(peer)
            self._work = self._loop.create_task(self._resync(peer))
        elif (owed := [peer for peer in able if self._owed(peer)]) and self._random.random() < CACHES_SHARE:
            self._work = self._loop.create_task(self._mend_cache(self._random.choice(owed)))
        elif able:
            self._work = self._loop.create_task(self._mend(self._random.choice(able), whole=False))

    def _names(self) -> list[str]:
        return [link.name for link in self._links.values()]

    def _owed(self, peer: Peer) -> bool:
        return self._links[peer].name in self._replica.cache.owed

    def _trim(self) -> None:
        self._replica.trim([link.sender.acknowledged for link in self._links.values()])

    async def _join(self) -> None:
        """Pull everything from the peer that is furthest ahead. Ready once that is in, or the cap has passed."""
        loop = asyncio.get_running_loop()
        ends = loop.time() + self._join_seconds
        source = None
        try:
            async with asyncio.timeout_at(ends):
                await self._known.wait()
                while self._links and not self._replica.joined:
                    source = await self._join_once()
                    if not self._replica.joined:
                        await asyncio.sleep(0.2)
            why = "with its peers" if self._links else "without peers"
        except TimeoutError:
            why = f"as it is: no peer could be joined within {self._join_seconds:g} s"
        except Exception:
            logger.exception("joining failed")
            why = "as it is"
        self._replica.joined = True
        logger.info("ready %s", why)
        if source is not None:
            await self._mend_cache(source)

    async def _join_once(self) -> Peer | None:
        """One attempt. Returns the peer that everything was pulled from."""
        links = list(self._links.items())
        found = await asyncio.gather(*(link.summary() for _, link in links), return_exceptions=True)
        ahead = [
            (each.joined, sum(each.vector.values()), peer)
            for (peer, _), each in zip(links, found, strict=True)
            if isinstance(each, Summary)
        ]
        if ahead and await self._mend(source := max(ahead)[2], whole=True, joining=True):
            return source
        if all(isinstance(each, Refused) and each.old for each in found):
            self._replica.joined = True  # peers of the original's kind: there is nothing to pull
        return None

    async def _mend(self, peer: Peer, *, whole: bool, joining: bool = False) -> bool:
        """One pull. False where it was not finished: that costs nothing, the next sweep begins anew."""
        link = self._links.get(peer)
        if link is None:
            return False  # no peer any more
        pull = Pull(self._replica, link.name, whole=whole, suspects=self._suspects.get(peer, frozenset()))
        began = monotonic()
        try:
            pull.begin(await link.summary(), monotonic())
            while (want := pull.want()) is not None:
                link.pulling = pull.left
                pull.take(await link.state(want), monotonic(), time_ns())
        except (*FAULTS, Refused, InvalidInput) as error:
            logger.info("peer %s: pull not finished: %s", link.name, str(error) or type(error).__name__)
            return False
        finally:
            link.pulling = 0
        self._suspects[peer] = pull.differing
        if whole:
            logger.info("peer %s: pulled everything in %.2f s", link.name, monotonic() - began)
        elif pull.changed:
            logger.info("peer %s: %d records differed and were mended", link.name, pull.changed)
        if joining:
            self._replica.joined = True
        return True

    async def _resync(self, peer: Peer) -> None:
        """Pull everything of a peer."""
        if await self._mend(peer, whole=True):
            await self._mend_cache(peer)

    async def _mend_cache(self, peer: Peer) -> None:
        """Pull the index of caches, some of it at a time: a node is ready without, and serves meanwhile."""
        link = self._links.get(peer)
        if link is None:
            return
        pull = CachePull(self._replica.cache, link.name)
        blocks = 0
        try:
            while (want := pull.want()) is not None:
                link.pulling = pull.left
                for fresh in pull.take(await link.cache(want), monotonic()):
                    blocks += fresh
                    await asyncio.sleep(0)
            pull.done(self._names())
            logger.info("peer %s: pulled %d cache blocks", link.name, blocks)
        except (*FAULTS, Refused, InvalidInput) as error:
            logger.info("peer %s: caches not pulled: %s", link.name, str(error) or type(error).__name__)
            if (isinstance(error, Refused) and error.old) or peer not in self._links:
                pull.done(self._names(), whole=False)  # it has no such index, or is gone
        finally:
            link.pulling = 0
            pull.close()
