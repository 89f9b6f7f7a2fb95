# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Catching up with peers: joining them when the node starts, and mending what differs later.

Runs on the event loop. At most one join or pull is under way. A pull that fails costs nothing: a later sweep begins
again. The name is from A. Demers et al., "Epidemic Algorithms for Replicated Database Maintenance", 1987.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping
from random import Random
from time import monotonic, time_ns
from typing import Any

from edge.errors import InvalidInput
from replication.entities import Summary
from replication.entity import Entity
from replication.fault import sentence
from replication.link import FAILING_PULLS, FAULTS, PeerLink, Refused
from replication.pull import Pull
from replication.replica import Replica, node_of
from replication.sender import LinkState
from runtime.cold_start import ColdStart

logger = logging.getLogger("replication")

# Of the sweeps, while an entity that is not compared is still to be pulled: the others go on being repaired beside it.
PENDING_SHARE = 0.5


class AntiEntropy:
    """Decides whom to pull from, and pulls.

    `links`: returns the links to all peers.
    `known`: set once discovery has answered.
    `work`: the join or pull under way, or the last one; None before the first.
    `suspects`: for each peer by name, the buckets that differed at the last pull from it, by entity.
    `asked`: names of peers that everything is to be pulled from, because a person said so.
    `first`: awaited before this node is ready, beside its peers: it may join others in another way too.
    `restored`: this node began with what a former life of it left, so that it lacks nothing once it has joined.

    `cold` is noted as filled once everything was pulled from a peer that lacks nothing.
    """

    def __init__(
        self,
        replica: Replica,
        links: Callable[[], Collection[PeerLink]],
        *,
        join_seconds: float,
        random: Random,
        cold: ColdStart,
    ) -> None:
        self._replica = replica
        self._cold = cold
        self._join_seconds = join_seconds
        self._random = random
        self.links = links
        self.known = asyncio.Event()
        self.work: asyncio.Task[None] | None = None
        self.suspects: dict[str, Mapping[str, frozenset[int]]] = {}
        self.asked: set[str] = set()
        self.restored = False
        self.first: Callable[[], Awaitable[object]] | None = None
        self._pulled = False  # everything, from the peer that was furthest ahead

    def start(self) -> None:
        """Begin to join the peers."""
        self._begin(self._join())

    def gone(self, name: str) -> None:
        """Forget a peer that has left."""
        self.suspects.pop(name, None)
        self.asked.discard(name)
        self._replica.gone(name, self._names())

    def sweep(self) -> None:
        """Begin one pull, unless one is under way: of everything if a person asked, a gap was seen or a peer can fill
        this cold node, else of an entity that is still to be pulled, else of what differs."""
        if self.work is not None and not self.work.done():
            return
        able = [link for link in self.links() if link.sender.state is LinkState.CONNECTED]
        gaps = [link for link in able if node_of(link.sender.origin) in self._replica.gaps]
        asked = [link for link in able if link.name in self.asked]
        if urgent := asked or gaps or self._fillers(able):
            link = self._random.choice(urgent)
            self.asked.discard(link.name)
            self._begin(self._resync(link))
        elif (pending := self._pending(able)) and self._random.random() < PENDING_SHARE:
            link, entity = self._random.choice(pending)
            self._begin(self._pull_later(link, [entity]))
        elif able:
            self._begin(self._repair(self._random.choice(able)))

    def _fillers(self, able: Collection[PeerLink]) -> list[PeerLink]:
        """Return the peers that have what this node lacks because it began with nothing."""
        return [link for link in able if link.sender.joined and not link.cold] if self._cold.seconds() else []

    def _begin(self, what: Coroutine[Any, Any, None]) -> None:
        self.work = asyncio.get_running_loop().create_task(what)

    def _names(self) -> list[str]:
        return [link.name for link in self.links()]

    def _pending(self, able: Collection[PeerLink]) -> list[tuple[PeerLink, Entity]]:
        entities, pending = self._replica.pulled_later, self._replica.pending
        return [(link, entity) for link in able for entity in entities if link.name in pending[entity.name]]

    # Joining

    async def _join(self) -> None:
        """Pull everything from the peer that is furthest ahead. Ready once that is in, or the cap has passed."""
        ends = asyncio.get_running_loop().time() + self._join_seconds
        source = None
        try:
            async with asyncio.timeout_at(ends):
                await self.known.wait()
                while self.links() and not self._pulled:
                    source = await self._join_once()
                    if not self._pulled:
                        await asyncio.sleep(0.2)
            why = "with its peers" if self.links() else "without peers"
        except TimeoutError:
            why = f"as it is: no peer could be joined within {self._join_seconds:g} s"
        except Exception:
            logger.exception("joining failed")
            why = "as it is"
        if self.first is not None:
            await self.first()
        if self.restored and (self._pulled or not self.links()):
            self._cold.filled("what this node left when it last stopped")
        self._replica.joined = True
        logger.info("ready %s", why)
        if source is not None:
            await self._pull_later(source, self._replica.pulled_later)

    async def _join_once(self) -> PeerLink | None:
        """Make one attempt. Returns the peer that everything was pulled from."""
        links = list(self.links())
        found = await asyncio.gather(*(link.summary() for link in links), return_exceptions=True)
        ahead = [
            (each.joined, not link.cold, sum(each.vector.values()), link.name, link)
            for link, each in zip(links, found, strict=True)
            if isinstance(each, Summary)
        ]
        for link, each in zip(links, found, strict=True):
            if isinstance(each, BaseException) and not (isinstance(each, Refused) and each.old):
                link.pull_failed(f"summary: {sentence(each)}")
        if ahead:
            *_, source = max(ahead, key=lambda each: each[:4])
            if await self._pull(source, Pull(self._replica, self._replica.compared, source.name)):
                self._pulled = True
                return source
        if all(isinstance(each, Refused) and each.old for each in found):
            self._pulled = True  # peers of the Go version's kind: there is nothing to pull
        return None

    # Pulling

    async def _resync(self, link: PeerLink) -> None:
        """Pull everything of a peer."""
        if await self._pull(link, Pull(self._replica, self._replica.compared, link.name)):
            await self._pull_later(link, self._replica.pulled_later)

    async def _pull_later(self, link: PeerLink, entities: Collection[Entity]) -> None:
        """Pull what is pulled after watermarks were adopted. The node serves meanwhile."""
        for entity in entities:
            if entity.kept:
                await self._pull(link, Pull(self._replica, [entity], link.name))

    async def _repair(self, link: PeerLink) -> None:
        """Pull the buckets that differ twice running."""
        suspects = self.suspects.get(link.name, {})
        await self._pull(link, Pull(self._replica, self._replica.compared, link.name, whole=False, suspects=suspects))

    async def _pull(self, link: PeerLink, pull: Pull) -> bool:
        """Carry one pull. Returns False if it was not finished, or the peer has left."""
        if not self._is_peer(link):
            return False
        began = monotonic()
        try:
            summary = await link.summary() if pull.compares else None
            fills = pull.fills and summary is not None and summary.joined and not link.cold  # as it was before the pull
            pull.begin(summary, monotonic())
            while (want := pull.want()) is not None:
                link.pulling = pull.left
                entity = pull.entity
                for _ in pull.take(await link.state(entity, want), monotonic(), time_ns()):
                    if entity.stepwise:
                        await asyncio.sleep(0)
            pull.done(self._names())
        except Exception as error:
            self._failed(link, pull, error)
            return False
        finally:
            link.pulling = 0
            pull.close()
        if fills:
            self._cold.filled(link.name)
            self._replica.trust()
        link.pulled()
        if pull.compares:
            self.suspects[link.name] = pull.differing
        if report := pull.report(monotonic() - began):
            logger.info("peer %s: %s", link.name, report)
        return True

    def _failed(self, link: PeerLink, pull: Pull, error: Exception) -> None:
        """Note that a pull was not finished."""
        if (isinstance(error, Refused) and error.old) or not self._is_peer(link):
            pull.give_up(self._names())
            logger.info("peer %s: %s not pulled: %s", link.name, pull.what, sentence(error))
            return
        link.pull_failed(f"{pull.what}: {sentence(error)}")
        logger.log(_level(link.pull_failures), "peer %s: %s not pulled: %s", link.name, pull.what, sentence(error))
        if not isinstance(error, (*FAULTS, Refused, InvalidInput)):
            logger.error("peer %s: a pull failed through a fault of this node", link.name, exc_info=error)

    def _is_peer(self, link: PeerLink) -> bool:
        return link in self.links()


def _level(failures: int) -> int:
    """Return at which level the so-manieth failure in a row is logged: a warning now and then once pulls fail."""
    if failures < FAILING_PULLS:
        return logging.INFO
    return logging.WARNING if failures == FAILING_PULLS or failures % 10 == 0 else logging.DEBUG
