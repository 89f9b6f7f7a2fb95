# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The threads of pages: never more than there are, a bounded queue, and nothing for clients that are gone."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

import pytest

from edge.page_threads import NoRoom, PageThreads

Check = Callable[[PageThreads], Awaitable[None]]


class Work:
    """Work that takes until it is released. `begun` and `most` count what ran, and how much of it at once."""

    def __init__(self) -> None:
        self.release = threading.Event()
        self.begun = self.running = self.most = 0
        self._lock = threading.Lock()

    def __call__(self) -> int:
        with self._lock:
            self.begun += 1
            self.running += 1
            self.most = max(self.most, self.running)
            number = self.begun
        assert self.release.wait(60)
        with self._lock:
            self.running -= 1
        return number


@contextmanager
def closing(threads: PageThreads) -> Iterator[PageThreads]:
    try:
        yield threads
    finally:
        threads.close()


def run(check: Check, threads: int, queue: int) -> None:
    with closing(PageThreads(threads, queue)) as pages:
        asyncio.run(check(pages))


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.001)


def stays() -> asyncio.Future[None]:
    return asyncio.get_running_loop().create_future()


def test_no_more_is_worked_on_than_there_are_threads_and_no_more_waits_than_may() -> None:
    async def check(pages: PageThreads) -> None:
        work = Work()
        asked = [asyncio.ensure_future(pages.run(work, stays())) for _ in range(5)]
        await until(lambda: work.begun == 2)
        assert (pages.working, pages.waiting) == (2, 3)
        for _ in range(4):
            with pytest.raises(NoRoom):
                await pages.run(work, stays())
        assert pages.refused == 4
        work.release.set()
        assert sorted(await asyncio.gather(*asked)) == [1, 2, 3, 4, 5]  # type: ignore[type-var]
        assert work.most == 2
        assert (pages.working, pages.waiting) == (0, 0)

    run(check, 2, 3)


def test_what_waits_is_dropped_when_its_client_leaves_and_its_place_is_free() -> None:
    async def check(pages: PageThreads) -> None:
        work = Work()
        first = asyncio.ensure_future(pages.run(work, stays()))
        await until(lambda: work.begun == 1)
        clients = [stays() for _ in range(2)]
        asked = [asyncio.ensure_future(pages.run(work, left)) for left in clients]
        await until(lambda: pages.waiting == 2)
        for left in clients:
            left.set_result(None)
        assert await asyncio.gather(*asked) == [None, None]
        assert (pages.waiting, pages.dropped) == (0, 2)
        later = asyncio.ensure_future(pages.run(work, stays()))
        work.release.set()
        assert await asyncio.gather(first, later) == [1, 2], "nothing was begun for those that left"

    run(check, 1, 2)


def test_a_client_that_is_gone_already_costs_no_thread() -> None:
    async def check(pages: PageThreads) -> None:
        left = stays()
        left.set_result(None)
        assert await pages.run(Work(), left) is None
        assert (pages.working, pages.dropped) == (0, 1)

    run(check, 1, 1)


def test_work_that_has_begun_holds_its_thread_whoever_leaves() -> None:
    async def check(pages: PageThreads) -> None:
        work, left = Work(), stays()
        begun = asyncio.ensure_future(pages.run(work, left))
        await until(lambda: work.begun == 1)
        left.set_result(None)
        waits = asyncio.ensure_future(pages.run(work, stays()))
        await until(lambda: pages.waiting == 1)
        assert pages.working == 1
        work.release.set()
        assert await asyncio.gather(begun, waits) == [1, 2]
        assert work.most == 1

    run(check, 1, 1)


@pytest.mark.parametrize("leaves", [False, True])
def test_a_turn_that_comes_as_its_page_is_given_up_goes_to_the_next(*, leaves: bool) -> None:
    async def check(pages: PageThreads) -> None:
        work = Work()
        first = asyncio.ensure_future(pages.run(work, stays()))
        await until(lambda: work.begun == 1)
        left = stays()
        given_up = asyncio.ensure_future(pages.run(work, left))
        next_ = asyncio.ensure_future(pages.run(work, stays()))
        await until(lambda: pages.waiting == 2)
        # In one turn of the loop: the thread is passed on, and the page that gets it is given up.
        first.add_done_callback(lambda _: left.set_result(None) if leaves else given_up.cancel())
        work.release.set()
        await asyncio.wait((first, given_up, next_))
        assert next_.result() is not None
        assert (pages.working, pages.waiting) == (0, 0)

    run(check, 1, 2)


def test_what_work_raises_comes_out_and_frees_the_thread() -> None:
    async def check(pages: PageThreads) -> None:
        def fails() -> None:
            raise LookupError("no")

        for _ in range(3):
            with pytest.raises(LookupError):
                await pages.run(fails, stays())
        assert pages.working == 0

    run(check, 1, 1)
