# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The log as part of a node: its member's coroutines as tasks on the event loop, and how it is, for people.

Other threads only read what it reports, and wake the writer.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from contextlib import suppress
from threading import get_ident
from typing import Any

from replication.journal import Journal
from replication.log.attachments import NoticeWriter
from replication.log.member import LogMember
from replication.log.server import LogError, LogServer, ServerFacts
from replication.replica import Replica
from runtime.health import PartState

logger = logging.getLogger("replication.log")

TEND_SECONDS = 0.5
FACTS_SECONDS = 15.0
GOODBYE_SECONDS = 1.0
FULL_SHARE = 0.9  # of the log server's memory: said before it is full


class SharedLog:
    """This node's log.

    `member`: what it does on it.
    `place`: the log server's address, for people.
    `facts`: what the log server said of itself last; None before.

    `notices` appends this node's. `beside_mesh`: links to peers read the same journal. `tend` does what follows for the
    node, twice a second.
    """

    def __init__(
        self,
        member: LogMember,
        server: LogServer,
        replica: Replica,
        journal: Journal,
        place: str,
        notices: NoticeWriter,
        *,
        beside_mesh: bool,
        tend: Callable[[], None],
    ) -> None:
        self.member = member
        self.place = place
        self._notices = notices
        self.facts: ServerFacts | None = None
        self._server = server
        self._replica = replica
        self._journal = journal
        self._beside_mesh = beside_mesh
        self._tend_node = tend
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = 0
        self._waking = False
        self._before: Callable[[], None] = lambda: None
        self._tasks: list[asyncio.Task[None]] = []
        self._last: asyncio.Task[None] | None = None  # the last notices on their way

    # On the loop

    def start(self) -> None:
        """Begin to read, append and announce."""
        self._loop = asyncio.get_running_loop()
        self._thread = get_ident()
        self._before = self._journal.on_append
        self._journal.on_append = self._appended_for_both if self._beside_mesh else self._appended
        self._tasks = [self._loop.create_task(self._kept(run)) for run in self._runs()]

    def _runs(self) -> list[Callable[[], Coroutine[Any, Any, None]]]:
        return [*self.member.runs, self._notices.run, self._tend, self._look]

    async def _kept(self, run: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run for as long as the node does: a fault of ours is logged, and what failed begins anew."""
        while True:
            try:
                return await run()
            except Exception:
                logger.exception("the log: a task ended; starting anew")
                await asyncio.sleep(1.0)

    def flush(self) -> None:
        """Begin to hand on what the journal holds. Clients report no more."""
        self.member.writer.wake()
        if self._loop is not None and self._last is None and self.member.status.up.is_set():
            self._last = self._loop.create_task(self._part())

    async def _part(self) -> None:
        """Append the last notices."""
        with suppress(LogError):
            await self._notices.append()

    def flushed(self) -> bool:
        """Return whether all is appended and with every node present, or the log server is away."""
        member = self.member
        if not member.status.up.is_set():
            return True
        if self._last is not None and not self._last.done():
            return False
        return not member.writer.lag_events and (not member.roster.present() or member.handed_on())

    async def stop(self) -> None:
        """Say goodbye and end."""
        self._journal.on_append = lambda: None
        tasks = [*self._tasks, *([] if self._last is None else [self._last])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self.member.writer.lag_events:
            logger.warning("stopped with %d events that are not in the log", self.member.writer.lag_events)
        if self.member.status.up.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(GOODBYE_SECONDS):
                    await self.member.leave()
        await self._server.close()
        self._loop = None

    async def _tend(self) -> None:
        while True:
            await asyncio.sleep(TEND_SECONDS)
            self._tend_node()

    async def _look(self) -> None:
        """Ask the log server now and then how it is."""
        while True:
            await self.member.status.up.wait()
            with suppress(LogError):
                self.facts = await self._server.facts()
            await asyncio.sleep(FACTS_SECONDS)

    # From any thread

    def _appended(self) -> None:
        """Wake the writer if it waits; called for each event."""
        if self._waking or self._loop is None or not self.member.writer.idle:
            return
        self._waking = True
        if get_ident() == self._thread:
            self._wake()
        else:
            self._loop.call_soon_threadsafe(self._wake)

    def _appended_for_both(self) -> None:
        self._before()
        self._appended()

    def _wake(self) -> None:
        self._waking = False
        self.member.writer.wake()

    def state(self) -> tuple[PartState, str]:
        """Return how the log is, as a probe for `Health`."""
        member, status = self.member, self.member.status
        if not member.ready.is_set():
            return PartState.STARTING, f"reading the log at {self.place}" + (
                f"; {status.reason}" if status.reason else ""
            )
        if wrong := self._wrong():
            return PartState.DEGRADED, "; ".join(wrong)
        return PartState.OK, f"{len(member.roster.present())} other nodes"

    def _wrong(self) -> list[str]:
        """Return what is not as it should be, for people."""
        member, status, facts = self.member, self.member.status, self.facts
        wrong = []
        if not status.up.is_set():
            wrong.append(f"{self.place} is away: {status.reason}")
        elif not member.joined.is_set():
            wrong.append("not all of the log is read yet")
        if status.full:
            wrong.append(f"{self.place} is full: {status.full}")
        if facts is not None and facts.policy not in ("", "noeviction"):
            wrong.append(
                f"{self.place} may drop keys: its maxmemory-policy is {facts.policy}, and should be noeviction"
            )
        if (
            facts is not None
            and not status.full
            and facts.most_bytes
            and facts.used_bytes > FULL_SHARE * facts.most_bytes
        ):
            wrong.append(f"{self.place} is nearly full: {facts.used_bytes} of {facts.most_bytes} bytes")
        if lapsed := [each.latest.origin for each in member.roster.lapsed()]:
            wrong.append(f"fell silent: {', '.join(sorted(lapsed)[:8])}")
        if self._replica.missing:
            wrong.append("events are missing, until a snapshot brings them")
        return wrong

    def report(self) -> dict[str, Any]:
        """Return how the log is, for `GET /v1/replica/peers`."""
        member, status = self.member, self.member.status
        standing, facts = status.standing, self.facts
        age = status.snapshot_age()
        return {
            "server": self.place,
            "version": "" if facts is None else facts.version,
            "up": status.up.is_set(),
            "reason": status.reason or status.full,
            "generation": status.generation,
            "joined": member.joined.is_set(),
            "entries": 0 if standing is None else standing.length,
            "snapshot_age_seconds": None if age < 0 else round(age, 3),
            "lag_events": member.writer.lag_events,
            "nodes": [self._node(each) for each in member.roster.here_or_missed()],
        }

    def _node(self, known: Any) -> dict[str, Any]:
        roster, latest = self.member.roster, known.latest
        return {
            "origin": latest.origin,
            "address": latest.address,
            "present": roster.is_present(known),
            "joined": latest.joined,
            "silent_seconds": round(roster.silent_seconds(known), 3),
            "acknowledged": roster.seen(known),
            "lag_events": max(0, self._journal.latest - roster.seen(known)),
        }
