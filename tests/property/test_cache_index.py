# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The cache index equals plain sets while it evicts nothing, in whatever order calls come, and keeps its bounds."""

from __future__ import annotations

from random import Random
from typing import NamedTuple

from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from edge.engine_name import EngineName
from kvcache.index import BUCKETS, CacheIndex
from tests.property import EXAMPLES
from tests.property.cache_model import Held, Model

CLUSTERS = st.sampled_from(["a", "b"])
NAMES = ["10.0.0.1", "10.0.0.1:80", "10.0.0.1:80/3", "10.0.0.10", "10.0.0.10/3", "::1", "[::1]:80"]
ENGINES = st.sampled_from(NAMES)
# Prompts that begin alike, and lists that are no prompt at all: from the middle, with repetitions, in any order.
TREE = {0: [], 1: [10, 11, 12], 2: [10, 11, 13, 14, 15], 3: [10, 16], 4: [2**64 - 1, 0]}
PROMPTS = st.builds(lambda stem, tail: TREE[stem] + tail, st.integers(0, 4), st.lists(st.integers(20, 24), max_size=4))
ANY = st.lists(st.sampled_from([10, 11, 12, 13, 14, 20, 21, 0, 2**64 - 1]), max_size=8)
HASHES = st.one_of(PROMPTS, ANY)
STAMPS = st.integers(0, 12)


def content(index: CacheIndex, now: float = 0.0) -> Held:
    """What an index tells that it holds, with the latest stamps."""
    held: Held = {}
    for bucket in range(BUCKETS):
        for copy in index.copies(bucket, now):
            blocks = held.setdefault((copy.cluster, copy.engine), {})
            for each in copy.hashes:
                blocks[each] = max(blocks.get(each, -1), copy.stamp)
    return held


def settle(index: CacheIndex, now: float = 0.0) -> None:
    while index.expire(now):
        pass


class Machine(RuleBasedStateMachine):
    """Saves and drops with any stamps against the model."""

    def __init__(self) -> None:
        super().__init__()
        self.index = CacheIndex()
        self.model = Model()

    @rule(cluster=CLUSTERS, engine=ENGINES, hashes=HASHES, stamp=STAMPS)
    def save(self, cluster: str, engine: str, hashes: list[int], stamp: int) -> None:
        self.index.save(cluster, engine, hashes, 0.0, stamp)
        self.model.save(cluster, engine, hashes, stamp)

    @rule(cluster=CLUSTERS, engine=st.one_of(st.none(), ENGINES), stamp=STAMPS)
    def drop(self, cluster: str, engine: str | None, stamp: int) -> None:
        self.index.drop(cluster, engine, stamp, 0.0)
        self.model.drop(cluster, engine, stamp)

    @rule()
    def settle(self) -> None:
        settle(self.index)
        held, counts = self.model.held(), self.index.counts()
        assert sum(len(copy.hashes) for bucket in range(BUCKETS) for copy in self.index.copies(bucket, 0.0)) == sum(
            map(len, held.values())
        )
        assert counts.held_blocks == sum(map(len, held.values()))
        assert counts.engines == len(held)
        assert self.index.blocks() == len({(cluster, each) for (cluster, _), blocks in held.items() for each in blocks})

    @rule(cluster=CLUSTERS, hashes=HASHES, topk=st.integers(1, 4))
    def query(self, cluster: str, hashes: list[int], topk: int) -> None:
        settle(self.index)
        assert self.index.query(cluster, hashes, topk) == self.model.query(cluster, hashes, topk)

    @rule(cluster=CLUSTERS, hashes=HASHES)
    def lengths(self, cluster: str, hashes: list[int]) -> None:
        """An engine holds what its own entry has, else what its address's has from after its last drop."""
        settle(self.index)
        lengths = self.index.lengths(cluster, tuple(hashes))
        for name in NAMES:
            held = 0 if lengths is None else lengths.at(name, EngineName.of(name).ip)
            assert held == self.model.length(cluster, name, hashes), name

    @rule(cluster=CLUSTERS, address=st.sampled_from(["10.0.0.1", "10.0.0.10", "10.0.0", "::1"]))
    def at_address(self, cluster: str, address: str) -> None:
        settle(self.index)
        found = self.index.at_address(cluster, address)
        there = [name for held, name in self.model.held() if held == cluster and EngineName.of(name).ip == address]
        assert sorted(found) == sorted(there)

    @rule(cluster=CLUSTERS, hashes=HASHES)
    def query_before_all_is_freed(self, cluster: str, hashes: list[int]) -> None:
        """What was dropped is never seen again, and what stands is seen as it is or not at all."""
        most = dict(self.model.query(cluster, hashes, 10))
        assert all(length <= most.get(name, 0) for name, length in self.index.query(cluster, hashes, 10))

    @rule()
    def free_some(self) -> None:
        self.index.expire(0.0)

    @invariant()
    def peers_are_told_all_that_stands_whether_or_not_it_is_settled(self) -> None:
        assert content(self.index) == self.model.held()

    def teardown(self) -> None:
        """Long after the last call nothing is left of any history."""
        for _ in range(3):
            settle(self.index, 100_000.0)
        assert self.index.counts().held_blocks == self.index.counts().engines == self.index.counts().clusters == 0
        assert self.index.blocks() == len(self.index.drops(100_000.0)) == 0


TestCacheIndex = Machine.TestCase
TestCacheIndex.settings = settings(max_examples=38 * EXAMPLES, stateful_step_count=30, deadline=None)


class BoundedMachine(RuleBasedStateMachine):
    """Tiny bounds and passing time: nothing is ever too much, too old or made up, and the last save stands."""

    BLOCKS, ENGINE_BLOCKS, ENTRIES, TTL = 12, 7, 3, 10

    def __init__(self) -> None:
        super().__init__()
        self.index = CacheIndex(
            max_blocks=self.BLOCKS, max_engine_blocks=self.ENGINE_BLOCKS, max_engines=self.ENTRIES, ttl_seconds=self.TTL
        )
        self.model = Model()
        self.now = 0
        self.stamp = 0

    @rule(cluster=CLUSTERS, engine=ENGINES, hashes=HASHES)
    def save(self, cluster: str, engine: str, hashes: list[int]) -> None:
        self.stamp += 1
        self.index.save(cluster, engine, hashes, self.now, self.stamp)
        kept = hashes[: self.ENGINE_BLOCKS]
        if kept:
            self.model.save(cluster, engine, kept, self.stamp)
            assert (engine, len(kept)) in self.index.query(cluster, kept, 10)

    @rule(cluster=CLUSTERS, engine=st.one_of(st.none(), ENGINES))
    def drop(self, cluster: str, engine: str | None) -> None:
        self.stamp += 1
        self.index.drop(cluster, engine, self.stamp, self.now)
        self.model.drop(cluster, engine, self.stamp)

    @rule(seconds=st.integers(0, 4))
    def wait(self, seconds: int) -> None:
        self.now += seconds

    @rule()
    def expire(self) -> None:
        settle(self.index, self.now)

    @precondition(lambda self: self.now > 30)
    @rule()
    def idle(self) -> None:
        """Whatever order its runs have come to, an index that is left alone for long is empty."""
        self.now += self.TTL
        settle(self.index, self.now)
        assert content(self.index) == {}

    @invariant()
    def bounds_hold(self) -> None:
        counts = self.index.counts()
        assert counts.held_blocks <= self.BLOCKS
        assert counts.engines <= self.ENTRIES
        held, known = content(self.index, self.now), self.model.held()
        for engine, blocks in held.items():
            assert len(blocks) <= self.ENGINE_BLOCKS
            assert blocks.items() <= known[engine].items()
        assert sum(map(len, held.values())) <= counts.held_blocks


TestBoundedCacheIndex = BoundedMachine.TestCase
TestBoundedCacheIndex.settings = settings(max_examples=38 * EXAMPLES, stateful_step_count=30, deadline=None)


class Event(NamedTuple):
    """A save, or where `hashes` is None a drop."""

    cluster: str
    engine: str | None
    stamp: int
    hashes: list[int] | None


EVENTS = st.lists(
    st.one_of(
        st.builds(Event, CLUSTERS, ENGINES, STAMPS, HASHES),
        st.builds(Event, CLUSTERS, st.one_of(st.none(), ENGINES), STAMPS, st.none()),
    ),
    max_size=10,
)


def play(events: list[Event], random: Random) -> CacheIndex:
    """An index that was given the events. It frees what was dropped at some of the times when it may."""
    index = CacheIndex()
    for each in events:
        if each.hashes is None:
            index.drop(each.cluster, each.engine, each.stamp, 0.0)
        else:
            assert each.engine is not None
            index.save(each.cluster, each.engine, each.hashes, 0.0, each.stamp)
        if random.random() < 0.3:
            index.expire(0.0)
    settle(index)
    return index


@settings(max_examples=100 * EXAMPLES)
@given(EVENTS, st.randoms(use_true_random=False))
@example([Event("a", "::1", 1, [10, 11]), Event("a", "::1", 3, [10]), Event("a", "::1", 2, None)], Random(1))
def test_events_in_any_order_and_twice_end_the_same(events: list[Event], random: Random) -> None:
    repeated = events + events[::2]
    random.shuffle(repeated)
    some, others = play(events, random), play(repeated, random)
    assert content(some) == content(others)
    assert some.digests() == others.digests()
    assert [(each.cluster, each.engine, each.stamp) for each in sorted(some.drops(0.0), key=str)] == [
        (each.cluster, each.engine, each.stamp) for each in sorted(others.drops(0.0), key=str)
    ]


@settings(max_examples=60 * EXAMPLES)
@given(EVENTS, EVENTS, st.randoms(use_true_random=False))
def test_indexes_that_merge_each_other_end_the_same_and_digests_tell(
    ours: list[Event], theirs: list[Event], random: Random
) -> None:
    some, others = play(ours, random), play(theirs, random)
    assert (some.digests() == others.digests()) == (
        {engine: set(blocks) for engine, blocks in content(some).items()}
        == {engine: set(blocks) for engine, blocks in content(others).items()}
    )
    for source, target in ((some, others), (others, some), (some, others)):
        target.merge_drops(source.drops(0.0), 0.0)
        for bucket in range(BUCKETS):
            target.merge(list(source.copies(bucket, 0.0)), 0.0)
        settle(target)
    both = play(ours + theirs, random)
    assert content(some) == content(others) == content(both)
    assert some.digests() == others.digests() == both.digests()
