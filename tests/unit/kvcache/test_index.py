# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import gc
import sys
import tracemalloc
from collections.abc import Iterator
from itertools import count
from random import Random
from threading import Barrier, Thread
from typing import Any

import pytest

from kvcache.index import CacheIndex
from kvcache.index.cluster import PEELED, SPREAD_AT
from kvcache.index.drops import NEVER, Drops
from kvcache.index.index import PART, SLICE
from kvcache.index.run import MOST_BLOCKS, Touch
from kvcache.index.store import MAX_DROPS

C = "qwen"
A, B = "10.0.0.1", "10.0.0.2"


@pytest.fixture
def stamps() -> Iterator[int]:
    """Stamps, each later than the one before."""
    return count(1)


def settle(index: CacheIndex, now: float = 0.0) -> int:
    steps = 0
    while index.expire(now):
        steps += 1
    return steps


def prompt(first: int, size: int) -> list[int]:
    return list(range(first, first + size))


def saved(*prompts: tuple[str, list[int]], **options: Any) -> CacheIndex:
    """An index with prompts, saved one a second."""
    index = CacheIndex(**options)
    for now, (ip, hashes) in enumerate(prompts):
        index.save(C, ip, hashes, now, now + 1)
    return index


# Queries


def test_an_engine_counts_up_to_the_first_block_that_it_lacks() -> None:
    index = saved((A, [1, 2, 3, 4]), (B, [1, 2]), (B, [4, 5]))
    assert index.query(C, [1, 2, 3, 4, 5], 10) == [(A, 4), (B, 2)]
    assert index.query(C, [4, 5], 10) == [(B, 2), (A, 1)]
    assert index.query(C, [1, 3], 10) == [(A, 2), (B, 1)]
    assert index.query(C, [9, 1], 10) == []
    assert index.query(C, [], 10) == []
    assert index.query("other", [1], 10) == []


def test_blocks_that_occur_twice_count_as_they_stand() -> None:
    index = saved((A, [1, 1, 2, 1]))
    assert index.counts().held_blocks == index.blocks() == 2
    assert index.query(C, [1, 1, 1, 2, 3], 10) == [(A, 4)]


def test_hashes_have_all_64_bits() -> None:
    edge = [0, 2**64 - 1, 2**61 - 1, 2**61, 2**63]
    index = saved((A, edge))
    assert index.query(C, edge, 10) == [(A, 5)]
    assert index.query(C, [2**61 - 2], 10) == []


def test_prompts_that_part_share_their_beginning() -> None:
    stem, long = prompt(1, 100), prompt(1000, 3 * MOST_BLOCKS)
    index = saved((A, stem + long), (B, [*stem, 7000, 7001]), ("10.0.0.3", stem[:10]), (B, [*long[:5], 8000]))
    assert index.query(C, stem + long, 10) == [(A, len(stem + long)), (B, 105), ("10.0.0.3", 10)]
    assert index.query(C, [*stem, 7000, 7001, 7002], 10) == [(B, 102), (A, 100), ("10.0.0.3", 10)]
    assert index.blocks() == 100 + 3 * MOST_BLOCKS + 3
    assert index.counts().held_blocks == 100 + 3 * MOST_BLOCKS + 102 + 10 + 6


@pytest.mark.parametrize("engines", [PEELED - 1, PEELED + 40])
def test_of_engines_with_equally_much_those_with_the_lower_addresses_come_first(engines: int) -> None:
    ips = [f"10.0.0.{number}" for number in range(engines)]
    Random(3).shuffle(ips)
    index = saved(*((ip, [1]) for ip in ips), ("10.0.0.7", [1, 2]))
    expected = [("10.0.0.7", 2), *((ip, 1) for ip in sorted(ips) if ip != "10.0.0.7")]
    for topk in (1, 2, 10, engines, 1000):
        assert index.query(C, [1, 2, 3], topk) == expected[:topk]


def test_nothing_changes_when_there_are_so_many_blocks_that_they_are_spread() -> None:
    index = saved((A, prompt(1, SPREAD_AT)), (B, prompt(1, 10)))
    before = index.query(C, prompt(1, SPREAD_AT), 10)
    index.save(C, B, prompt(10**6, SPREAD_AT), 9, 9)
    assert index.query(C, prompt(1, SPREAD_AT), 10) == before == [(A, SPREAD_AT), (B, 10)]
    assert index.query(C, prompt(10**6, SPREAD_AT), 10) == [(B, SPREAD_AT)]
    assert index.blocks() == 2 * SPREAD_AT


def test_counts_tell_what_was_asked_and_found() -> None:
    index = saved((A, [1, 2, 3]), (A, [1, 2, 3]), (B, [1]))
    index.query(C, [1, 2, 9], 10)
    index.query("other", [1], 10)
    counts = index.counts()
    assert (counts.saves, counts.engines, counts.clusters, counts.held_blocks) == (3, 2, 1, 4)
    assert (counts.queries, counts.asked_blocks, counts.hit_blocks) == (2, 4, 2)


def test_a_save_tells_how_many_blocks_are_new() -> None:
    index = CacheIndex()
    assert [index.save(C, A, hashes, 0, 1) for hashes in ([1, 2, 3], [1, 2, 3], [1, 2, 4], [])] == [3, 0, 1, 0]


# Bounds


def test_the_end_of_the_prompt_not_saved_for_longest_goes_first() -> None:
    index = saved((A, prompt(1, 2 * MOST_BLOCKS)), (A, prompt(1000, 60)), (A, prompt(2000, 70)), max_engine_blocks=200)
    assert index.query(C, prompt(1, 2 * MOST_BLOCKS), 10) == [(A, MOST_BLOCKS)]
    assert index.query(C, prompt(1000, 60), 10) == [(A, 60)]
    counts = index.counts()
    assert (counts.held_blocks, counts.evicted_engine_full, counts.evicted_index_full) == (194, MOST_BLOCKS, 0)


def test_what_is_saved_again_stays() -> None:
    index = saved((A, prompt(1, 4)), (A, prompt(11, 4)), (A, prompt(1, 4)), (A, prompt(21, 4)), max_engine_blocks=8)
    assert index.query(C, prompt(1, 4), 10) == [(A, 4)]
    assert index.query(C, prompt(11, 4), 10) == []


def test_of_all_engines_that_with_the_oldest_blocks_gives_way() -> None:
    index = saved((A, prompt(1, 4)), (B, prompt(11, 4)), (A, prompt(21, 4)), (B, prompt(31, 4)), max_blocks=12)
    assert index.query(C, prompt(1, 4), 10) == []
    assert index.query(C, prompt(11, 4), 10) == [(B, 4)]
    index.save(C, "10.0.0.3", prompt(1, 5), 9, 9)
    assert index.query(C, prompt(11, 4), 10) == []
    assert index.query(C, prompt(21, 4), 10) == []
    assert index.query(C, prompt(1, 9), 10) == [("10.0.0.3", 5)]
    assert (index.counts().held_blocks, index.counts().evicted_index_full, index.counts().engines) == (9, 12, 2)


@pytest.mark.parametrize("options", [{"max_blocks": 100}, {"max_engine_blocks": 100}])
def test_of_a_prompt_longer_than_there_is_room_for_the_beginning_is_kept(options: dict[str, int]) -> None:
    index = saved((A, prompt(1, 5)), (B, prompt(1000, 300)), **options)
    assert index.query(C, prompt(1000, 300), 10) == [(B, 100)]


def test_a_prompt_of_several_parts_is_kept_whole() -> None:
    hashes = prompt(1, 3 * PART + 5)
    index = saved((B, prompt(10**6, 100)), (A, hashes), max_blocks=3 * PART + 50)
    assert index.query(C, hashes, 10) == [(A, len(hashes))]
    assert index.query(C, prompt(10**6, 100), 10) == [(B, MOST_BLOCKS)] or index.counts().held_blocks <= 3 * PART + 50
    assert index.counts().saves == 2


def test_one_engine_too_many_makes_that_with_the_oldest_blocks_go() -> None:
    index = saved((A, [1]), (B, [1]), (A, [2]), ("10.0.0.3", [1]), max_engines=2)
    assert index.query(C, [1], 10) == [("10.0.0.3", 1), (B, 1)] or index.query(C, [1], 10) == [(B, 1), ("10.0.0.3", 1)]
    assert index.counts().engines == 2
    settle(index)
    assert index.counts().held_blocks == 2
    assert index.counts().dropped == 2


# Time


def test_blocks_go_when_nobody_saves_them_for_long() -> None:
    index = CacheIndex(ttl_seconds=10)
    index.save(C, A, [1, 2], 0.0, 1)
    index.save(C, A, [1], 6.0, 2)
    assert index.expire(9.9) == 0
    settle(index, 10.0)
    assert index.query(C, [1, 2], 10) == [(A, 1)]
    settle(index, 16.0)
    assert index.query(C, [1, 2], 10) == []
    counts = index.counts()
    assert (counts.held_blocks, counts.engines, counts.clusters, counts.expired) == (0, 0, 0, 2)


def test_expiry_goes_in_slices_and_leaves_nothing() -> None:
    index = CacheIndex(ttl_seconds=10)
    blocks = 3 * SPREAD_AT
    for number in range(blocks):
        index.save(C, f"10.0.0.{number % 3}", [number], 0.0, number)
    assert settle(index, 10.0) > blocks / (SLICE + 1)
    assert (index.counts().expired, index.counts().clusters, index.blocks()) == (blocks, 0, 0)
    assert index.save(C, A, [1], 11.0, 9) == 1


def test_time_never_goes_back() -> None:
    index = CacheIndex(ttl_seconds=10)
    index.save(C, A, [1], 100.0, 1)
    index.save(C, A, [2], 0.0, 2)
    assert index.expire(50.0) == 0
    assert index.query(C, [2], 10) == [(A, 1)]


def test_a_save_that_comes_as_late_as_blocks_get_is_not_taken() -> None:
    index = CacheIndex(ttl_seconds=10)
    assert index.save(C, A, [1], 100.0, 1, age_seconds=10.0) == 0
    assert index.save(C, A, [1], 100.0, 1, age_seconds=9.0) == 1
    settle(index, 101.0)
    assert index.query(C, [1], 10) == []


# Drops


def test_a_dropped_engine_is_left_out_at_once_and_freed_in_slices() -> None:
    index = saved((A, prompt(1, 5 * SLICE)), (B, prompt(1, 3)))
    index.drop(C, A, 10, 0.0)
    assert index.query(C, prompt(1, 9), 10) == [(B, 3)]
    assert index.counts().held_blocks == 5 * SLICE + 3
    assert settle(index) >= 5
    counts = index.counts()
    assert (counts.held_blocks, counts.dropped, counts.drops, counts.engines) == (3, 5 * SLICE, 1, 1)
    assert index.blocks() == 3


def test_saves_free_what_was_dropped_too() -> None:
    index = saved((A, prompt(1, 1000)))
    index.drop(C, A, 10, 0.0)
    for stamp in range(20, 40):
        index.save(C, A, [stamp], 0.0, stamp)
    assert index.counts().held_blocks == 20


def test_what_was_dropped_gives_way_before_anything_else() -> None:
    index = saved((A, prompt(1, 50)), (B, prompt(100, 200)), max_blocks=250)
    index.drop(C, B, 10, 0.0)
    index.save(C, "10.0.0.3", prompt(1000, 200), 9.0, 11)
    assert index.query(C, prompt(1, 50), 10) == [(A, 50)]
    assert index.counts().evicted_index_full == 0


def test_a_whole_cluster_is_dropped() -> None:
    index = CacheIndex()
    for number in range(SLICE + 10):
        index.save(C, f"10.0.{number // 250}.{number % 250}", [1, 2], 0.0, 1)
    index.save("other", A, [1, 2], 0.0, 1)
    index.drop(C, None, 1, 0.0)
    assert index.query(C, [1, 2], 10) == []
    assert index.query("other", [1, 2], 10) == [(A, 2)]
    settle(index)
    assert (index.counts().engines, index.counts().clusters, index.counts().held_blocks) == (1, 1, 2)


def test_a_save_stamped_up_to_a_drop_is_not_taken_and_a_later_one_stands() -> None:
    index = CacheIndex()
    for dropped in (A, None):
        index.drop(C, dropped, 5 if dropped else 7, 0.0)
        last = 5 if dropped else 7
        assert index.save(C, A, [1], 0.0, last) == 0
        assert index.save(C, A, [1], 0.0, last + 1) == 1
    assert index.query(C, [1], 10) == [(A, 1)]


@pytest.mark.parametrize("dropped", [A, None])
def test_a_late_drop_takes_what_was_saved_before_it_and_leaves_the_rest(dropped: str | None) -> None:
    index = CacheIndex()
    index.save(C, A, [1, 2, 3], 0.0, 5)
    index.save(C, A, [1, 2], 0.0, 9)
    index.drop(C, dropped, 7, 0.0)
    settle(index)
    assert index.query(C, [1, 2, 3], 10) == [(A, 2)]
    assert (index.counts().held_blocks, index.counts().engines) == (2, 1)


def test_what_outlives_a_drop_keeps_within_the_bound_of_its_engine() -> None:
    index = CacheIndex(max_engine_blocks=4)
    index.save(C, A, [1], 0.0, 1)
    index.save(C, A, [2, 3], 0.0, 9)
    index.drop(C, A, 5, 0.0)
    index._store.free(0)
    cluster = index._store.clusters[C]
    heir = index._store.engine(C, A, Touch(10, 0))
    index._store.counts.held_blocks += cluster.save(heir, (4, 5, 6), Touch(10, 0))
    settle(index)
    assert heir.blocks <= 4
    assert index.query(C, [4, 5, 6], 10) == [(A, 3)] or index.query(C, [2, 3], 10) == [(A, 2)]


def test_a_drop_before_all_saves_and_one_older_than_blocks_get_change_nothing() -> None:
    index = CacheIndex(ttl_seconds=10)
    index.save(C, A, [1], 0.0, 5)
    index.drop(C, A, 4, 0.0)
    index.drop(C, A, 9, 0.0, age_seconds=10.0)
    assert index.query(C, [1], 10) == [(A, 1)]
    assert (index.counts().dropped, index.counts().drops) == (0, 1)


def test_drops_are_remembered_as_long_as_blocks_get() -> None:
    index = CacheIndex(ttl_seconds=10)
    index.drop(C, A, 5, 0.0)
    settle(index, 9.0)
    assert index.save(C, A, [1], 9.0, 5) == 0
    settle(index, 10.0)
    assert index.drops(10.0) == []
    assert index.save(C, A, [1], 10.0, 5) == 1


def test_of_too_many_drops_the_first_is_forgotten() -> None:
    drops = Drops(2)
    assert [drops.add(C, ip, stamp, 0) for ip, stamp in ((A, 5), (B, 6), (A, 5), (A, 7), ("::1", 8))] == [
        True, True, False, True, True,
    ]  # fmt: skip
    assert [drops.last(C, ip) for ip in (A, B, "::1")] == [7, NEVER, 8]
    assert len(drops) == 2 < MAX_DROPS


def test_bits_of_engines_that_are_gone_are_used_again() -> None:
    index = CacheIndex()
    for stamp in range(50):
        index.save(C, f"10.0.0.{stamp}", [1, 2], 0.0, stamp)
        index.save(C, "::1", [1], 0.0, stamp)
        index.drop(C, f"10.0.0.{stamp}", stamp, 0.0)
        settle(index)
    assert len(index._store.clusters[C].slots) <= 3


# The machine


def test_a_block_of_one_engine_takes_at_most_200_bytes_and_of_another_much_less() -> None:
    random, size, prompts = Random(1), 50, 1000
    index = CacheIndex()
    tracemalloc.start()
    try:
        for number in range(prompts):
            hashes = tuple(random.getrandbits(64) for _ in range(size))
            index.save(C, f"10.0.0.{number % 100}", hashes, number, number)
        first = tracemalloc.get_traced_memory()[0] / (prompts * size)
        runs = [run.hashes for shard in index._store.clusters[C].shards for run in shard.values()][::size]
        before = tracemalloc.get_traced_memory()[0]
        more = sum(index.save(C, "10.0.1.1", hashes, prompts, prompts) for hashes in runs)
        second = (tracemalloc.get_traced_memory()[0] - before) / more
    finally:
        tracemalloc.stop()
    assert first < 200
    assert second < 20


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="dicts are always the collector's business there")
def test_the_garbage_collector_has_nothing_to_walk() -> None:
    gc.collect()
    before = len(gc.get_objects())
    index = saved(*((f"10.0.0.{number % 9}", prompt(100 * number, 50)) for number in range(2000)))
    gc.collect()
    assert index.blocks() == 100_000
    assert len(gc.get_objects()) - before < 500


def test_threads_may_do_as_they_like() -> None:
    index = CacheIndex(max_blocks=2000, max_engine_blocks=300, ttl_seconds=5)
    barrier = Barrier(4)
    failures: list[BaseException] = []

    def work(seed: int) -> None:
        random = Random(seed)
        barrier.wait(60)
        try:
            for step in range(1500):
                ip = f"10.0.0.{random.randrange(6)}"
                hashes = [*prompt(random.randrange(5) * 100, random.randrange(90)), random.randrange(10**6)]
                match random.randrange(10):
                    case 0:
                        index.drop(C, random.choice([ip, None]), step, step / 100)
                    case 1 | 2:
                        index.expire(step / 100)
                    case 3:
                        list(index.copies(random.randrange(256), step / 100))
                        index.digests()
                    case 4 | 5 | 6:
                        index.query(C, hashes, 10)
                    case _:
                        index.save(C, ip, hashes, step / 100, step)
        except BaseException as failure:
            failures.append(failure)
            raise

    threads = [Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    assert index.counts().held_blocks <= 2000
    settle(index, 100.0)
    settle(index, 200.0)
    assert (index.counts().held_blocks, index.counts().engines, index.blocks()) == (0, 0, 0)
