# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""A node's way to the simulated log server. It may be cut, and the server may be away, stand still, or answer too late:
what it was asked meanwhile it may do all the same, and twice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from replication.log.server import (
    PATIENCE_SECONDS,
    Entry,
    LogAway,
    LogError,
    LogStanding,
    Position,
    ServerFacts,
    SnapshotPointer,
)
from tests.simulation.coroutines import Fail, Resume, Wait
from tests.simulation.log_server import SimLogServer

if TYPE_CHECKING:
    from tests.simulation.world import SimNode, World

LOG = "log"
"""What the log server is called among the names of a world, as in its cuts."""


class SimLog:
    """The log server of a world, and how it is.

    `away`: it refuses connections. `hung`: it answers nothing for now. `late`: what was asked of it meanwhile.
    """

    def __init__(self, world: World) -> None:
        self.world = world
        self.skew = 0.0  # of its clock
        self.server = SimLogServer(lambda: int((world.now + self.skew + 1.7e9) * 1000))
        self.away = False
        self.hung = False
        self.late: list[Callable[[], None]] = []
        self.copies: list[SimLogServer] = []
        self.copy()

    def copy(self) -> None:
        """Keep what it holds, a few seconds long, for a fail-over or a roll-back."""
        self.copies = [*self.copies[-20:], self.server.copied()]
        self.world.at(0.7, self.copy)

    def go_back(self, steps: int) -> None:
        """Come back as an older copy of itself."""
        self.server.become(self.copies[-min(steps, len(self.copies))])

    def wake(self) -> None:
        """Answer again, and do what was asked meanwhile."""
        self.hung = False
        late, self.late = self.late, []
        for each in late:
            each()


class SimLogLink:
    """The log server as one node reaches it."""

    def __init__(self, log: SimLog, node: SimNode) -> None:
        self._log = log
        self._node = node

    async def append(self, body: bytes) -> Position:
        return await self._ask(lambda server: server.append(body), twice=True)

    async def read(self, after: Position, wait_seconds: float) -> list[Entry]:
        return await self._ask(lambda server: server.read(after), wait_seconds=wait_seconds)

    async def trim(self, behind: Position) -> None:
        await self._ask(lambda server: server.trim(behind))

    async def announce(self, origin: str, body: bytes, own: Position | None) -> LogStanding:
        return await self._ask(lambda server: server.announce(origin, body, own))

    async def forget(self, origin: str, body: bytes) -> None:
        await self._ask(lambda server: server.forget(origin, body))

    async def begin(self, expected: str, generation: str) -> bool:
        return await self._ask(lambda server: server.begin(expected, generation))

    async def take_lease(self, token: str, seconds: float) -> bool:
        return await self._ask(lambda server: server.take_lease(token, seconds))

    async def write_slices(self, token: str, snapshot: str, slices: Sequence[bytes], seconds: float) -> None:
        await self._ask(lambda server: server.write_slices(token, snapshot, slices, seconds))

    async def commit(self, token: str, pointer: SnapshotPointer) -> None:
        await self._ask(lambda server: server.commit(token, pointer))

    async def release(self, token: str, snapshot: str) -> None:
        await self._ask(lambda server: server.release(token, snapshot))

    async def slices(self, snapshot: str, first: int, most: int) -> list[bytes]:
        return await self._ask(lambda server: server.slices(snapshot, first, most))

    async def facts(self) -> ServerFacts:
        return await self._ask(lambda server: server.facts())

    async def close(self) -> None:
        pass

    def _ask(self, do: Callable[[SimLogServer], Any], wait_seconds: float = 0.0, *, twice: bool = False) -> Wait:
        """One operation over the network: a lost message is a lost connection."""
        world, log, node = self._log.world, self._log, self._node
        faults = world.faults

        def delay() -> float:
            return world.random.uniform(faults.shortest, faults.longest)

        def lost() -> bool:
            return world.random.random() < faults.loss / 4 or frozenset((node.name, LOG)) in world.cut

        def begin(resume: Resume, fail: Fail) -> None:
            def broken() -> None:
                world.at(delay(), lambda: fail(LogAway("the connection was lost")), owner=node)

            def perform() -> None:
                try:
                    found = do(log.server)
                    if twice and world.random.random() < faults.duplicate / 4:
                        do(log.server)
                except LogError as error:
                    failure = error
                    world.at(delay(), lambda: fail(failure), owner=node)
                    return
                if wait_seconds and not found:
                    park()
                    return
                if lost():
                    broken()
                else:
                    world.at(delay(), lambda: resume(found), owner=node)

            def park() -> None:
                """Wait for an entry, as XREAD with BLOCK does."""
                parked = [True]

                def over() -> None:
                    if parked[0]:
                        parked[0] = False
                        if on_append in log.server.on_append:
                            log.server.on_append.remove(on_append)
                        if log.hung or log.away:
                            return  # it ends by patience
                        found = do(log.server)
                        world.at(delay(), lambda: resume(found), owner=node)

                def on_append() -> None:
                    world.at(0.0, over)

                log.server.on_append.append(on_append)
                world.at(wait_seconds, over)

            def arrive() -> None:
                if log.away or lost():
                    broken()
                elif log.hung:
                    if world.random.random() < 0.7:
                        log.late.append(perform)
                else:
                    perform()

            world.at(delay(), arrive)
            world.at(
                PATIENCE_SECONDS + wait_seconds, lambda: fail(LogAway("it does not answer within 2 s")), owner=node
            )

        return Wait(begin)
