# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Waiting for a cluster to change: who is woken, when, and what it costs while nobody waits."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable

import msgspec
import pytest

from edge.caller import Caller
from edge.errors import TooMany, Unauthorized
from edge.lasting import Lasting
from loadstats.ledger import Ledger
from loadstats.waits import LOOKS, WAKES, Waits

LIMIT_SECONDS = 60.0


def run(check: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(check(), LIMIT_SECONDS))


class Tags:
    """Tags that a test sets, and how often each was asked for."""

    def __init__(self) -> None:
        self.now: dict[str, bytes] = {}
        self.asked: Counter[str] = Counter()

    def __call__(self, cluster: str) -> bytes:
        self.asked[cluster] += 1
        return self.now.get(cluster, b"1")


async def looked(tags: Tags, cluster: str, times: int) -> None:
    goal = tags.asked[cluster] + times
    while tags.asked[cluster] < goal:
        await asyncio.sleep(0.001)


def test_all_who_wait_for_a_cluster_share_a_look_and_others_stay() -> None:
    async def check() -> None:
        tags = Tags()
        waits = Waits(tags, most=1000)
        calls = [asyncio.create_task(waits.change("a", b"1", 60)) for _ in range(WAKES * 3)]
        other = asyncio.create_task(waits.change("b", b"1", 60))
        await looked(tags, "a", 2)
        assert waits.waiting == len(calls) + 1
        assert tags.asked["a"] <= 4
        tags.now["a"] = b"2"
        await asyncio.gather(*calls)
        assert not other.done()
        other.cancel()
        await asyncio.wait([other])
        assert waits.waiting == 0

    run(check)


def test_nothing_is_looked_at_once_nobody_waits() -> None:
    async def check() -> None:
        tags = Tags()
        waits = Waits(tags, most=10)
        await waits.change("a", b"1", 0.001)
        before = len(asyncio.all_tasks())
        asked = tags.asked.total()
        await waits.change("a", b"0", 60)  # what is known is another from the start
        assert tags.asked.total() == asked + 1
        await asyncio.sleep(0)
        assert len(asyncio.all_tasks()) <= before

    run(check)


def test_more_than_may_are_refused_and_a_place_that_is_free_again_is_taken() -> None:
    async def check() -> None:
        waits = Waits(Tags(), most=1)
        first = asyncio.create_task(waits.change("a", b"1", 60))
        await asyncio.sleep(0)
        with pytest.raises(TooMany, match="as many calls wait here as may, 1"):
            await waits.change("a", b"1", 60)
        first.cancel()
        await asyncio.wait([first])
        await waits.change("a", b"1", 0.001)

    run(check)


def test_the_end_ends_all_waits_and_nobody_waits_after_it() -> None:
    async def check() -> None:
        waits = Waits(Tags(), most=10)
        calls = [asyncio.create_task(waits.change(cluster, b"1", 60)) for cluster in "aab"]
        await asyncio.sleep(0)
        waits.end()
        await asyncio.gather(*calls)
        await waits.change("a", b"1", 60)

    run(check)


def test_a_call_whose_key_ends_is_refused_and_the_others_wait_on() -> None:
    async def check() -> None:
        lasting = Lasting()
        waits = Waits(Tags(), most=10, lasting=lasting)
        lost, kept = Caller("key lost", frozenset()), Caller("key kept", frozenset())
        calls = [asyncio.create_task(waits.change("a", b"1", 60, caller)) for caller in (lost, kept, None)]
        await asyncio.sleep(0)
        assert lasting.begun == 2
        assert lasting.end_without(lambda caller: caller is kept) == 1
        with pytest.raises(Unauthorized, match="the key or the log-in has ended"):
            await calls[0]
        assert not calls[1].done()
        assert not calls[2].done()
        waits.end()
        await asyncio.gather(*calls[1:])
        assert (lasting.begun, waits.waiting) == (0, 0)

    run(check)


def test_many_clusters_are_looked_at_in_turns() -> None:
    async def check() -> None:
        tags = Tags()
        waits = Waits(tags, most=LOOKS * 3)
        calls = [asyncio.create_task(waits.change(str(number), b"1", 60)) for number in range(LOOKS * 2 + 5)]
        while tags.asked.total() < LOOKS:
            await asyncio.sleep(0)
        assert tags.asked.total() == LOOKS
        waits.end()
        await asyncio.gather(*calls)

    run(check)


def test_a_cluster_that_is_left_during_a_look_is_passed_by() -> None:
    async def check() -> None:
        tags = Tags()
        waits = Waits(tags, most=LOOKS * 2)
        calls = [asyncio.create_task(waits.change(str(number), b"1", 60)) for number in range(LOOKS + 1)]
        while tags.asked.total() < LOOKS:
            await asyncio.sleep(0)
        calls[-1].cancel()
        await looked(tags, "0", 1)
        assert waits.waiting == LOOKS
        waits.end()
        await asyncio.wait(calls)

    run(check)


def test_the_full_answer_follows_every_change() -> None:
    ledger = Ledger(request_seconds=10)

    def full() -> list[tuple[str, int]]:
        rows = msgspec.json.decode(ledger.loads.tagged_answer("c", full=True)[0])
        assert all(row["token_num"] == row["orphaned_req_num"] == 0 for row in rows)
        return [(row["ip"], row["prefill_req_num"]) for row in rows]

    for number in range(4):
        ledger.add(f"r{number}", "c", f"10.0.0.{number}", 1, 0.0, 7)
    assert full() == [(f"10.0.0.{number}", 1) for number in range(4)]
    ledger.first_token("r2", 0.0, 7)
    assert full() == full() == [("10.0.0.0", 1), ("10.0.0.1", 1), ("10.0.0.2", 0), ("10.0.0.3", 1)]
    ledger.drop("c", "10.0.0.0")  # the last engine takes its place
    assert full() == [("10.0.0.3", 1), ("10.0.0.1", 1), ("10.0.0.2", 0)]
    ledger.add("r4", "c", "10.0.0.4", 1, 0.0, 7)
    ledger.first_token("r1", 0.0, 7)
    assert full() == [("10.0.0.3", 1), ("10.0.0.1", 0), ("10.0.0.2", 0), ("10.0.0.4", 1)]
    assert ledger.loads.tagged_answer("none", full=True)[0] == b"null"


def test_tags_tell_every_answer_of_a_ledger_from_all_before() -> None:
    ledger = Ledger(request_seconds=10)
    seen: set[bytes] = set()

    def new() -> bytes:
        assert ledger.loads.tag("c") not in seen
        answer, tag = ledger.loads.tagged_answer("c")
        assert ledger.loads.tagged_answer("c") == (answer, tag)
        assert ledger.loads.tag("c") == tag
        assert tag not in seen
        seen.add(tag)
        return answer

    assert new() == b"null"
    for life in range(2):  # the cluster goes and comes again
        now = life * 100.0
        ledger.add(f"r{life}", "c", "10.0.0.1", 1, now, 7)
        new()
        ledger.add(f"s{life}", "c", "10.0.0.2", 1, now, 7)
        new()
        ledger.first_token(f"r{life}", now, 7)
        new()
        ledger.drop("c", "10.0.0.2")
        new()
        while ledger.lapse(now, 7) or ledger.expire(now + 50, 7):
            pass
        assert ledger.loads.tagged_answer("c") == (b"null", b"-0")
