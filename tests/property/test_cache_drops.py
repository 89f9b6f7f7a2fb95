# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Drops of caches among nodes whose clocks differ: one drop is the same on every node, however the news travel."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from edge.addresses import EngineNames
from kvcache.handlers import CacheHandlers
from kvcache.index import CacheIndex
from loadstats.ledger import Ledger
from replication.entities import Entities
from replication.entities.caches import ReplicatedCaches
from replication.entities.requests import ReplicatedRequests
from replication.journal import Journal
from replication.messages import Push
from replication.paths import VERSION
from replication.replica import Replica
from tests.property import EXAMPLES
from tests.property.cache_model import Model, prefix

ENGINES = ["10.0.0.1", "10.0.0.1:80", "10.0.0.1:81", "10.0.0.1:80/3", "fd00::7", "[fd00::7]:80"]
PROMPTS = [(1,), (1, 2, 3), (1, 2, 4), (7, 8)]
NODES = range(3)
HOUR_NS = 3_600 * 10**9


class Overheard:
    """Notes in a model what a node stamped, and hands it on to its journal."""

    def __init__(self, model: Model, caches: ReplicatedCaches) -> None:
        self._model = model
        self._caches = caches

    def saved(self, cluster: str, engine: str, hashes: tuple[int, ...], stamp: int, now: float) -> None:
        self._model.save(cluster, engine, hashes, stamp)
        self._caches.saved(cluster, engine, hashes, stamp, now)

    def dropped(self, cluster: str, engine: str | None, stamp: int, now: float) -> None:
        self._model.drop(cluster, engine, stamp)
        self._caches.dropped(cluster, engine, stamp, now)


class ClockedNode:
    """A node whose wall clock shows what it likes."""

    def __init__(self, name: str, wall_ns: int, model: Model) -> None:
        self.wall_ns = wall_ns
        self.now = 0.0  # of the ledger; blocks of caches live far longer
        self.ledger = Ledger(request_seconds=10)
        self.index = CacheIndex()
        self.calls = CacheHandlers(self.index, now=lambda: 0.0, wall_ns=lambda: self.wall_ns)
        self.ledger.on_dropped = self.calls.forget
        self.journal = self.ledger.journal = Journal(self.ledger.replica.origin(f"{name}@1"))
        canonical = EngineNames().canonical
        caches = ReplicatedCaches(self.index, self.ledger.journal_event, self.calls.stamps.seen, canonical)
        self.calls.journal = Overheard(model, caches)
        self.replica = Replica(self.journal, Entities(ReplicatedRequests(self.ledger, canonical), caches))

    def tell(self, other: ClockedNode) -> None:
        """Send another node all that this one's clients said and it lacks."""
        first = other.replica.vector().get(self.replica.origin, 0) + 1
        if first <= self.journal.latest:
            events, _ = self.journal.read(first, 1000)
            other.replica.take(Push(VERSION, self.replica.origin, first, 1, 0, events), other.now, 1)

    def held(self, engine: str, prompt: tuple[int, ...]) -> int:
        """How much of a prompt an engine's own entry holds here."""
        while self.index.expire(0.0):
            pass
        return dict(self.index.query("c", prompt, 100)).get(engine, 0)


class Drops(RuleBasedStateMachine):
    """Saves and drops at any node, told to the others sooner or later, clocks that are hours apart and jump."""

    @initialize(skews=st.lists(st.integers(-5 * HOUR_NS, 5 * HOUR_NS), min_size=3, max_size=3))
    def start(self, skews: list[int]) -> None:
        self.model = Model()
        self.nodes = [ClockedNode(f"n{number}", 10**18 + skews[number], self.model) for number in NODES]
        self.number = 0

    @rule(node=st.sampled_from(NODES), engine=st.sampled_from(ENGINES), prompt=st.sampled_from(PROMPTS))
    def save(self, node: int, engine: str, prompt: tuple[int, ...]) -> None:
        """What a node was told of after all drops that it knows, stands there."""
        self.nodes[node].calls.keep("c", engine, prompt)
        assert self.nodes[node].held(engine, prompt) == len(prompt)

    @rule(node=st.sampled_from(NODES), engine=st.sampled_from(ENGINES))
    def drop(self, node: int, engine: str) -> None:
        """A drop forgets all that the node knows of the engine, whoever told it, and nothing of its neighbours."""
        here = self.nodes[node]
        before = {each: [here.held(each, prompt) for prompt in PROMPTS] for each in ENGINES if each != engine}
        self.number += 1
        here.ledger.add(f"r{self.number}", "c", engine, 1, here.now, 1)
        assert here.ledger.drop("c", engine) == 1
        assert [here.held(engine, prompt) for prompt in PROMPTS] == [0] * len(PROMPTS)
        assert {each: [here.held(each, prompt) for prompt in PROMPTS] for each in before} == before
        while here.ledger.lapse(here.now, 1):
            pass

    @rule(node=st.sampled_from(NODES), engine=st.sampled_from(ENGINES))
    def idle(self, node: int, engine: str) -> None:
        """An engine that is no longer listed, for nothing was heard of it, keeps what it holds."""
        here = self.nodes[node]
        self.number += 1
        here.ledger.add(f"r{self.number}", "c", engine, 1, here.now, 1)
        here.ledger.done(f"r{self.number}", here.now, 1)
        before = [here.held(each, prompt) for each in ENGINES for prompt in PROMPTS]
        here.now += 20
        while here.ledger.expire(here.now, 1):
            pass
        assert here.ledger.rows("c") == []
        assert [here.held(each, prompt) for each in ENGINES for prompt in PROMPTS] == before

    @rule(some=st.sampled_from(NODES), others=st.sampled_from(NODES))
    def tell(self, some: int, others: int) -> None:
        if some != others:
            self.nodes[some].tell(self.nodes[others])

    @rule(node=st.sampled_from(NODES), by_ns=st.integers(-5 * HOUR_NS, 5 * HOUR_NS))
    def set_clock(self, node: int, by_ns: int) -> None:
        self.nodes[node].wall_ns += by_ns

    def teardown(self) -> None:
        nodes: list[ClockedNode] = getattr(self, "nodes", [])
        for some in nodes:
            for others in nodes:
                if some is not others:
                    some.tell(others)
        for node in nodes:
            for engine in ENGINES:
                for prompt in PROMPTS:
                    blocks = self.model.held().get(("c", engine), {})
                    assert node.held(engine, prompt) == prefix(prompt, blocks)


TestDrops = Drops.TestCase
TestDrops.settings = settings(max_examples=8 * EXAMPLES, stateful_step_count=20, deadline=None)
