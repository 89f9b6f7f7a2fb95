# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Each client's blocks are counted as they are held, and one that saves beyond its share loses its own oldest ones."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from kvcache.index import CacheIndex


def recount(index: CacheIndex) -> dict[str, tuple[int, dict[str, int]]]:
    """Return each client's blocks, in all and by engine, by the touches that refer to it."""
    blocks: Counter[str] = Counter()
    engines: dict[str, Counter[str]] = {}
    for bucket in index._store.buckets:
        for engine in bucket.values():
            for run, touch in engine.runs.items():
                if touch.saver is not None:
                    blocks[touch.saver.name] += len(run.hashes)
                    engines.setdefault(touch.saver.name, Counter())[str(engine.number)] += len(run.hashes)
    return {name: (number, dict(engines[name])) for name, number in blocks.items()}


def counted(index: CacheIndex) -> dict[str, tuple[int, dict[str, int]]]:
    return {
        each.name: (each.blocks, {str(engine.number): number for engine, number in each.engines.items()})
        for each in index.savers()
    }


@pytest.mark.parametrize("seed", range(6))
def test_counts_equal_a_recount_after_any_history(seed: int) -> None:
    random = Random(seed)
    index = CacheIndex(ttl_seconds=50, max_blocks=60, max_engine_blocks=25, max_engines=5)
    now = 0.0
    for step in range(400):
        now += random.random()
        engine = f"10.0.0.{random.randrange(7)}"
        match random.randrange(12):
            case 0:
                index.drop("c", random.choice([engine, None]), step, now)
            case 1:
                index.expire(now)
            case 2:
                index.nodes = random.randrange(1, 4)
            case 3:
                now += random.randrange(20)
            case _:
                first = random.randrange(5) * 100
                hashes = [first + place for place in range(random.randrange(1, 20))]
                client = random.choice(["", "a", "b", "key c"])
                index.save("c", engine, hashes, now, step - random.randrange(3), client=client)
        assert counted(index) == recount(index)
    while index.expire(now + 1000):
        pass
    assert index.savers() == []


def test_a_flood_of_saves_leaves_the_others_blocks() -> None:
    index = CacheIndex(max_blocks=1000)
    for number in range(10):
        index.save("c", f"10.0.0.{number}", range(number * 20, number * 20 + 20), 0.0, 1, client="honest")
    for number in range(2000):
        start = 10_000 + number * 10
        index.save(
            "c", f"10.9.{number // 250}.{number % 250}", range(start, start + 10), 1.0, 2 + number, client="flood"
        )
        if number % 100 == 0:
            assert counted(index) == recount(index)
    for number in range(10):
        assert index.query("c", range(number * 20, number * 20 + 20), 1) == [(f"10.0.0.{number}", 20)]
    assert index.counts().held_blocks <= 500 + 10
    assert index.query("c", range(10_000 + 1999 * 10, 10_000 + 2000 * 10), 1), "its latest are kept"
    assert index.counts().evicted_client_share > 19_000


def test_saving_anothers_blocks_again_does_not_take_them_over() -> None:
    index = CacheIndex(max_blocks=100)
    index.save("c", "10.0.0.1", range(40), 0.0, 1, client="honest")
    index.save("c", "10.0.0.1", range(60), 0.0, 2, client="flood")
    assert {name: held[0] for name, held in counted(index).items()} == {"honest": 40, "flood": 20}
