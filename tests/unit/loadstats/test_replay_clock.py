# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The clock that checkpoints stop."""

from __future__ import annotations

import asyncio

from loadstats.replay.clock import PlayClock


class FakeTime:
    """Real time, moved by hand: sleeping moves it."""

    def __init__(self) -> None:
        self.seconds = 100.0
        self.slept: list[float] = []

    def read(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.seconds += seconds


def test_it_counts_from_its_start_and_not_while_stopped() -> None:
    async def play() -> None:
        time = FakeTime()
        clock = PlayClock(time.read, time.sleep)
        time.seconds += 2
        assert clock.now() == 2
        await clock.stop()
        time.seconds += 50
        await clock.stop()
        assert clock.now() == 2
        clock.go()
        clock.go()
        time.seconds += 1
        assert clock.now() == 3

    asyncio.run(play())


def test_until_returns_at_once_when_due_and_sleeps_what_is_left_else() -> None:
    async def play() -> None:
        time = FakeTime()
        clock = PlayClock(time.read, time.sleep)
        await clock.until(0)
        assert time.slept == []
        await clock.until(5)
        assert time.slept == [5]

    asyncio.run(play())


def test_a_stop_during_a_sleep_puts_the_due_time_off() -> None:
    async def play() -> None:
        time = FakeTime()
        stopped_once = False

        async def sleep(seconds: float) -> None:
            nonlocal stopped_once
            await time.sleep(seconds)
            if not stopped_once:
                stopped_once = True
                time.seconds -= 3  # the stop comes three seconds before the sleep is over
                await clock.stop()
                time.seconds += 3
                asyncio.get_running_loop().call_soon(clock.go)

        clock = PlayClock(time.read, sleep)
        await clock.until(10)
        assert time.slept == [10, 3]
        assert clock.now() == 10

    asyncio.run(play())


def test_stop_waits_for_calls_in_flight_and_holds_back_new_ones() -> None:
    async def play() -> None:
        clock, order, release = PlayClock(FakeTime().read), list[str](), asyncio.Event()

        async def first() -> None:
            async with clock.call():
                order.append("first in")
                await release.wait()
                order.append("first out")

        async def second() -> None:
            async with clock.call():
                order.append("second in")

        async def stop() -> None:
            await clock.stop()
            order.append("stopped")

        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            group.create_task(first())
            await asyncio.sleep(0)
            stopping = group.create_task(stop())
            await asyncio.sleep(0)
            group.create_task(second())
            await asyncio.sleep(0)
            assert not stopping.done()
            release.set()
            await stopping
            clock.go()
        assert order == ["first in", "first out", "stopped", "second in"]

    asyncio.run(play())
