# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Runs coroutines on a world's clock. They end with the life of the node that they are part of."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.simulation.world import SimNode, World

Resume = Callable[[Any], None]
Fail = Callable[[BaseException], None]


class Wait:
    """Something awaited. `begin` is given what to call once it is there, or has failed."""

    def __init__(self, begin: Callable[[Resume, Fail], None]) -> None:
        self.begin = begin

    def __await__(self) -> Generator[Wait, Any, Any]:
        return (yield self)


def run(coroutine: Coroutine[Any, Any, Any]) -> None:
    """Run a coroutine up to its next wait, and on from there whenever that is over."""

    def step(act: Callable[[], Any]) -> None:
        try:
            waited: Wait = act()
        except StopIteration:
            return
        over = [False]

        def once(act: Callable[[], Any]) -> None:
            if not over[0]:
                over[0] = True
                step(act)

        waited.begin(
            lambda value: once(lambda: coroutine.send(value)), lambda error: once(lambda: coroutine.throw(error))
        )

    step(lambda: coroutine.send(None))


class SimFlag:
    """A flag that coroutines of a node wait for."""

    def __init__(self, world: World, node: SimNode) -> None:
        self._world = world
        self._node = node
        self._set = False
        self._waiting: list[Resume] = []

    def set(self) -> None:
        self._set = True
        waiting, self._waiting = self._waiting, []
        for resume in waiting:
            self._world.at(0.0, lambda resume=resume: resume(None), owner=self._node)

    def clear(self) -> None:
        self._set = False

    def is_set(self) -> bool:
        return self._set

    async def wait(self) -> object:
        if not self._set:
            await Wait(lambda resume, fail: self._waiting.append(resume))
        return True


class SimClock:
    """A node's clocks."""

    def __init__(self, world: World, node: SimNode) -> None:
        self._world = world
        self._node = node
        self.now = node.now
        self.wall_ns = node.wall_ns

    async def sleep(self, seconds: float) -> None:
        await Wait(lambda resume, fail: self._world.at(seconds, lambda: resume(None), owner=self._node))

    def flag(self) -> SimFlag:
        return SimFlag(self._world, self._node)
