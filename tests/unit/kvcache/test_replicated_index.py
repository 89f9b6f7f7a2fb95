# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import msgspec
import pytest

from kvcache.index import BUCKETS, CacheCopy, CacheDropped, CacheIndex
from kvcache.index.run import MOST_BLOCKS

C, A, B = "qwen", "10.0.0.1", "10.0.0.2"


def copies(index: CacheIndex, now: float = 0.0) -> list[CacheCopy]:
    return [copy for bucket in range(BUCKETS) for copy in index.copies(bucket, now)]


def test_copies_are_small_say_how_old_they_are_and_come_in_the_order_of_use() -> None:
    index = CacheIndex()
    index.save(C, A, list(range(200)), 0.0, 5)
    index.save(C, A, [0, 1], 3.0, 6)
    told = copies(index, 7.0)
    assert [(copy.stamp, copy.age_seconds) for copy in told] == [(5, 7)] * 4 + [(6, 4)]
    assert told[-1] == CacheCopy(C, A, 6, 4, (0, 1))
    assert all(len(copy.hashes) <= MOST_BLOCKS for copy in told)
    assert sorted(each for copy in told for each in copy.hashes) == list(range(200))


def test_an_engine_is_in_one_bucket_whatever_it_holds() -> None:
    index = CacheIndex()
    for first in range(0, 1000, 100):
        index.save(C, A, [first, first + 1], 0.0, 1)
        index.save(C, B, [first], 0.0, 1)
    places = {copy.engine: bucket for bucket in range(BUCKETS) for copy in index.copies(bucket, 0.0)}
    assert places.keys() == {A, B}
    assert {bucket for bucket, digest in enumerate(index.digests()) if digest} == set(places.values())


def test_a_joining_index_takes_everything_over_with_its_age() -> None:
    old, new = CacheIndex(ttl_seconds=10), CacheIndex(ttl_seconds=10)
    old.save(C, A, [1, 2, 3], 100.0, 5)
    old.drop(C, "::1", 7, 104.0)
    old.save(C, B, [1, 2], 105.0, 6)
    new.merge_drops(old.drops(106.0), 1000.0)
    assert new.merge(copies(old, 106.0), 1000.0) == 5
    assert new.merge(copies(old, 106.0), 1000.0) == 0
    assert new.query(C, [1, 2, 3], 10) == [(A, 3), (B, 2)]
    assert new.digests() == old.digests()
    assert new.save(C, "::1", [1], 1000.0, 7) == 0
    assert new.drops(1001.0) == [CacheDropped(C, "::1", 7, 3)]
    while new.expire(1004.0):
        pass
    assert new.query(C, [1, 2, 3], 10) == [(B, 2)]


def test_an_engine_that_goes_while_its_bucket_is_read_is_left_out() -> None:
    index = CacheIndex()
    ips = [f"10.0.0.{number}" for number in range(BUCKETS + 1)]  # two of them share a bucket
    for ip in ips:
        index.save(C, ip, [1], 0.0, 1)
    shared = next(bucket for bucket in range(BUCKETS) if len(list(index.copies(bucket, 0.0))) > 1)
    reading = index.copies(shared, 0.0)
    first = next(reading)
    for ip in ips:
        if ip != first.engine:
            index.drop(C, ip, 2, 0.0)
    assert list(reading) == []


def test_what_was_saved_after_a_drop_is_told_before_the_two_are_told_apart() -> None:
    index = CacheIndex()
    index.save(C, A, [1, 2], 0.0, 3)
    index.save(C, A, [7], 0.0, 9)
    index.drop(C, A, 5, 0.0)
    assert index.query(C, [7], 1) == []
    assert copies(index) == [CacheCopy(C, A, 9, 0, (7,))]
    index.drop(C, None, 9, 0.0)
    assert copies(index) == []


def test_what_goes_over_to_another_engine_while_its_bucket_is_read_is_told() -> None:
    index = CacheIndex()
    ips = [f"10.0.0.{number}" for number in range(BUCKETS + 1)]  # two of them share a bucket
    for ip in ips:
        index.save(C, ip, [1], 0.0, 3)
        index.save(C, ip, [7], 0.0, 9)
    shared = next(bucket for bucket in range(BUCKETS) if len({copy.engine for copy in index.copies(bucket, 0.0)}) > 1)
    there = {copy.engine for copy in index.copies(shared, 0.0)}
    index.drop(C, None, 5, 0.0)
    reading = index.copies(shared, 0.0)
    first = next(reading)
    while index.expire(0.0):
        pass
    assert {first.engine, *(copy.engine for copy in reading if copy.hashes == (7,))} == there


def test_a_copy_of_something_older_changes_nothing() -> None:
    index = CacheIndex(ttl_seconds=10)
    index.save(C, A, [1], 8.0, 9)
    index.merge([CacheCopy(C, A, 5, 4, (1,)), CacheCopy(C, A, 5, 10, (2,))], 8.0)
    assert copies(index, 8.0) == [CacheCopy(C, A, 9, 0, (1,))]


def test_a_save_by_a_clock_that_is_behind_still_keeps_the_blocks_from_expiring() -> None:
    index = CacheIndex(ttl_seconds=10)
    index.save(C, A, [1], 0.0, 900)
    index.save(C, A, [1], 8.0, 5)
    assert copies(index, 8.0) == [CacheCopy(C, A, 900, 0, (1,))]
    assert index.expire(15.0) == 0


def test_digests_tell_whose_a_block_is() -> None:
    index, other = CacheIndex(), CacheIndex()
    index.save(C, A, [7], 0.0, 1)
    other.save(C, B, [7], 0.0, 1)
    assert [digest for digest in index.digests() if digest] != [digest for digest in other.digests() if digest]
    assert CacheIndex().digests() == [0] * BUCKETS


@pytest.mark.parametrize(
    "value",
    [CacheCopy(C, A, 2**62, 7, (0, 2**64 - 1)), CacheDropped(C, None, 2**62, 7), CacheDropped("é", "fe80::1", 0, 0)],
)
def test_what_travels_survives_msgpack(value: CacheCopy | CacheDropped) -> None:
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(value), type=type(value)) == value
