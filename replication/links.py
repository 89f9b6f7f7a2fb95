# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The links to all peers: who they are, and the tasks that push to them.

Everything runs on the event loop that `start` is called on; `set_peers`, `sweep`, `resync` and the journal's appends
may come from any thread. Each link has a task. The next sweep starts a task again if it ended.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from functools import partial
from random import Random
from threading import get_ident
from time import monotonic

from replication.admission import Admission
from replication.anti_entropy import AntiEntropy
from replication.client import Connection
from replication.journal import Journal
from replication.link import PeerLink
from replication.replica import Replica
from replication.sender import LinkState, Sender
from runtime.cold_start import ColdStart
from runtime.health import PartState
from runtime.notices.kind import Kind
from runtime.notices.log import NoticeLog

logger = logging.getLogger("replication")

Peer = tuple[str, int]
"""Address and port."""


class Links:
    """The set of links.

    `connect` makes a connection to a peer. `join_seconds` caps how long a starting node waits for its peers. `observe`
    is called with the seconds that a push's first event took. `cold` is noted as filled once a peer has filled this
    node; None stands for a node that lacks nothing. `notices` is reported to; None: to none.

    `anti_entropy`: what joins the peers and mends what differs.
    `tasks`: each link's task, by peer.
    """

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
        cold: ColdStart | None = None,
        notices: NoticeLog | None = None,
    ) -> None:
        self._notices = notices
        self._replica = replica
        self._journal = journal
        self._admission = admission
        self._connect = connect
        self._random = random
        self._observe = observe
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = 0
        self._wanted: tuple[Peer, ...] | None = None  # None: discovery has not answered yet
        self._links: dict[Peer, PeerLink] = {}
        self._idle: set[PeerLink] = set()  # those that wait for the journal
        self._waking = False  # the idle ones are about to be woken
        self.tasks: dict[Peer, asyncio.Task[None]] = {}
        self.anti_entropy = AntiEntropy(
            replica, self._links.values, join_seconds=join_seconds, random=random, cold=cold or ColdStart(0.0)
        )

    # From any thread

    def set_peers(self, peers: Sequence[Peer]) -> None:
        """Replace the set of peers."""
        self._wanted = tuple(peers)
        self._admission.set_peers(address for address, _ in peers)
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._rewire)

    def sweep(self) -> None:
        """Restart tasks that ended, trim the journal, mend one peer's differences."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._sweep)

    def resync(self, name: str) -> bool:
        """Pull everything from the peer of this name: at once, or by a later sweep, when it can be asked and no other
        pull is under way. Returns False if there is no such peer."""
        if self._loop is None or all(link.name != name for link in self.links()):
            return False
        self._loop.call_soon_threadsafe(self.anti_entropy.asked.add, name)
        self._loop.call_soon_threadsafe(self._sweep)
        return True

    def state(self) -> tuple[PartState, str]:
        """Return how the links are, as a probe for `Health`."""
        links = self.links()
        if not self._replica.joined:
            errors = [f"{link.name}: {link.pull_error}" for link in links if link.pull_error]
            return PartState.STARTING, "; ".join(["catching up with peers", *errors])
        if wrong := self._wrong(links):
            return PartState.DEGRADED, "; ".join(wrong)
        return PartState.OK, "1 peer" if len(links) == 1 else f"{len(links)} peers"

    def _wrong(self, links: Sequence[PeerLink]) -> list[str]:
        """Return what is not as it should be, for people."""
        now = monotonic()
        wrong = []
        if lost := [link.name for link in links if link.sender.state is LinkState.LOST]:
            wrong.append(f"lost: {', '.join(lost)}")
        wrong += [f"{link.name}: {link.pull_error}" for link in links if link.pulls_fail]
        wrong += [f"{link.name}: {reason}" for link in links if (reason := link.unwritten.lately(now))]
        if sent_to := self._admission.secret.sent_to():
            old = "until no node of the release before is left"
            wrong.append(f"the secret is sent in the clear, {old}, to {', '.join(sent_to)}")
        if reason := self._replica.unanswered.lately(now):
            wrong.append(reason)
        return wrong

    def links(self) -> list[PeerLink]:
        """Return the links, by name."""
        return sorted(list(self._links.values()), key=lambda link: link.name)  # noqa: C414 copied at once, then sorted

    # On the loop

    def start(self) -> None:
        """Begin to push to the peers known, and to join them."""
        self._loop = asyncio.get_running_loop()
        self._thread = get_ident()
        self._journal.on_append = self._appended
        self._rewire()
        self.anti_entropy.start()

    def flush(self) -> None:
        """Begin to hand on what the journal holds. Clients report no more."""
        for link in self._links.values():
            link.flush()

    def flushed(self) -> bool:
        """Return whether every peer that can be reached has acknowledged all that the journal holds."""
        return all(link.flushed for link in self._links.values())

    def handed_on(self) -> bool:
        """Return whether there are peers, and each has acknowledged all that the journal holds."""
        links = self.links()
        return bool(links) and all(
            link.sender.state is LinkState.CONNECTED and not link.sender.lag_events for link in links
        )

    async def stop(self) -> None:
        """End all links. What was not acknowledged by then is in the log."""
        self._journal.on_append = lambda: None
        for link in self.links():
            if link.sender.lag_events:
                logger.warning(
                    "peer %s: %s, stopped with %d events that it has not acknowledged",
                    link.name,
                    link.sender.state,
                    link.sender.lag_events,
                )
        work = self.anti_entropy.work
        tasks = [*self.tasks.values(), *([work] if work is not None else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.tasks.clear()
        self._loop = None

    def _appended(self) -> None:
        """Wake the links that wait; called for each event. The others look by themselves when their turn comes."""
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
            self.tasks.pop(peer).cancel()
            name = self._links.pop(peer).name
            self.anti_entropy.gone(name)
            self._notice(name, Kind.PEER_LEFT, f"Discovery no longer finds peer {name}")
        for peer in self._wanted:
            if peer not in self._links:
                self._links[peer] = link = self._link(*peer)
                self.tasks[peer] = self._loop.create_task(link.run())
        self.anti_entropy.known.set()

    def _notice(self, peer: str, kind: Kind, text: str) -> None:
        if self._notices is not None:
            self._notices.report(kind, text, peer=peer)

    def _link(self, address: str, port: int) -> PeerLink:
        name = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
        return PeerLink(
            name,
            Sender(self._journal, self._random.random, self._replica.for_peer),
            lambda: self._connect(address, port),
            now=monotonic,
            observe=self._observe,
            stepped=self._trim,
            idle=self._idle,
            notice=partial(self._notice, name),
        )

    def _sweep(self) -> None:
        if self._loop is None:
            return
        self._trim()
        self._replica.hold([link.sender for link in self._links.values()], monotonic())
        for peer, task in self.tasks.items():
            if task.done():
                logger.error("peer %s: its link ended: %r; starting anew", self._links[peer].name, task.exception())
                self.tasks[peer] = self._loop.create_task(self._links[peer].run())
        self.anti_entropy.sweep()

    def _trim(self) -> None:
        self._replica.trim([link.sender.acknowledged for link in self._links.values()])
