# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Connections with much to do take turns."""

from __future__ import annotations

import asyncio
from itertools import pairwise

from edge.backlog import SHARE_NS, SHARE_STEPS, Backlog


class Clock:
    def __init__(self) -> None:
        self.ns = 0

    def __call__(self) -> int:
        return self.ns


class Connection:
    """Has `steps` to do, each of `cost` nanoseconds."""

    charged_client = "10.0.0.1"

    def __init__(self, name: str, steps: int, done: list[str], clock: Clock, cost: int = 0) -> None:
        self.name, self.steps, self.done, self.clock, self.cost = name, steps, done, clock, cost
        self.waiting = False

    def work(self) -> bool:
        self.done.append(self.name)
        self.clock.ns += self.cost
        self.steps -= 1
        return self.steps > 0

    def wait(self) -> None:
        self.waiting = True


def test_what_fits_in_a_share_is_done_at_once() -> None:
    async def run() -> None:
        done: list[str] = []
        clock = Clock()
        backlog = Backlog(clock)
        backlog.serve(Connection("a", SHARE_STEPS, done, clock))
        assert len(done) == SHARE_STEPS
        assert len(backlog) == 0

    asyncio.run(run())


def test_a_clients_connections_share_what_is_done_at_once_in_a_turn() -> None:
    async def run() -> None:
        done: list[str] = []
        clock = Clock()
        backlog = Backlog(clock)
        for _ in range(2):
            many = [Connection("many", 1, done, clock, SHARE_NS // 4) for _ in range(100)]
            for each in many:
                backlog.serve(each)
            assert done == ["many"] * 4
            assert [each.waiting for each in many] == [False] * 4 + [True] * 96
            other = Connection("other", 1, done, clock, SHARE_NS // 4)
            other.charged_client = "10.0.0.2"
            backlog.serve(other)  # its client's share is its own
            assert done.pop() == "other"
            while len(backlog):
                before = len(done)
                await asyncio.sleep(0)
                assert len(done) - before <= 4
            assert done == ["many"] * 100
            done.clear()

    asyncio.run(run())


def test_a_share_is_bounded_in_steps_and_in_time_and_the_rest_takes_turns() -> None:
    async def run() -> None:
        for cost, most in ((0, SHARE_STEPS), (SHARE_NS // 2, 2), (SHARE_NS * 5, 1)):
            done: list[str] = []
            clock = Clock()
            backlog = Backlog(clock)
            first, second = (Connection(name, 40, done, clock, cost) for name in "ab")
            second.charged_client = "10.0.0.2"
            backlog.serve(first)
            backlog.serve(second)
            assert done == ["a"] * most + ["b"] * most
            assert first.waiting
            assert second.waiting
            backlog.serve(first)  # more of its bytes came in: it is not served out of turn
            assert len(done) == 2 * most
            while len(backlog):
                before = len(done)
                await asyncio.sleep(0)
                turn = done[before:]
                assert len(turn) <= most
                assert all(one != other for one, other in pairwise(turn))
            assert sorted(done) == ["a"] * 40 + ["b"] * 40

    asyncio.run(run())


def test_of_those_that_wait_none_begins_that_would_not_end_within_the_share() -> None:
    async def run() -> None:
        for cost, in_a_turn in ((SHARE_NS // 4, 4), (SHARE_NS // 2, 2), (SHARE_NS * 2 // 3, 1), (SHARE_NS * 5, 1)):
            done: list[str] = []
            clock = Clock()
            backlog = Backlog(clock)
            for _ in range(20):
                backlog.add(Connection("a", 1, done, clock, cost))
            while len(backlog):
                before = len(done)
                await asyncio.sleep(0)
                assert len(done) - before == in_a_turn

    asyncio.run(run())


def test_a_connection_that_breaks_stops_no_other() -> None:
    class Broken(Connection):
        def work(self) -> bool:
            raise ZeroDivisionError

    async def run() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
        done: list[str] = []
        clock = Clock()
        backlog = Backlog(clock)
        backlog.add(Broken("x", 1, done, clock))
        backlog.add(Connection("a", 3, done, clock))
        while len(backlog):
            await asyncio.sleep(0)
        assert done == ["a"] * 3

    asyncio.run(run())


def test_clients_take_turns_however_many_connections_each_has() -> None:
    async def run() -> None:
        done: list[str] = []
        clock = Clock()
        backlog = Backlog(clock)
        for number in range(500):
            backlog.add(Connection("many", 1 + number % 3, done, clock))
        other = Connection("one", 4, done, clock)
        other.charged_client = "10.0.0.2"
        backlog.add(other)
        while len(backlog):
            await asyncio.sleep(0)
        assert [place for place, name in enumerate(done) if name == "one"] == [1, 3, 5, 7]
        assert len(done) == 4 + sum(1 + number % 3 for number in range(500))

    asyncio.run(run())
