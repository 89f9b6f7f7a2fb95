# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Any interleaving of clients' calls, peers' events, drops and time leaves each client's counts equal to a recount
of what refers to it, and nobody beyond the caps."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from loadstats.ledger import BUCKETS, Added, Beat, CandidateNames, Done, EngineChoice, Ledger, LedgerFull, Origin
from loadstats.ledger.sizes import engine_size, owner_size, request_size
from tests.audit import audit
from tests.property import EXAMPLES
from tests.property.test_ledger_machine import Notes

LONG = "\U0001f600" * 256
IDS = st.sampled_from([*(f"r{number}" for number in range(12)), LONG, "é" * 200])
CLUSTERS = st.sampled_from(["a", "b", LONG])
ENGINES = st.sampled_from([f"10.0.0.{number}" for number in range(4)])
OWNERS = st.sampled_from(["", "g", "h", "i", LONG])
INCARNATIONS = st.sampled_from(["", "", "one", "two"])
CLIENTS = st.sampled_from(["", "10.0.0.7", "10.0.0.8", "key gateway"])
MAX_RECORDS, MAX_ENGINES, MAX_OWNERS = 10, 6, 4
LARGEST = 5  # what one thing with a long name counts as, at most


def recount(ledger: Ledger) -> dict[str, tuple[int, int, int]]:
    """Return what each client holds by what refers to it: records, engines and owners."""
    requests: Counter[str] = Counter()
    engines: Counter[str] = Counter()
    owners: Counter[str] = Counter()
    for _, record in ledger._records._due:  # each is in it once
        if record.client is not None:
            requests[record.client.name] += request_size(record.request_id)
    for cluster in ledger._engines.clusters.values():
        for engine in cluster.order:
            if engine.client is not None:
                engines[engine.client.name] += engine_size(cluster.name)
    for owner in ledger.requests.owners():
        if owner.client is not None:
            owners[owner.client.name] += owner_size(owner.name)
    names = {*requests, *engines, *owners}
    return {name: (requests[name], engines[name], owners[name]) for name in names}


def counted(ledger: Ledger) -> dict[str, tuple[int, int, int]]:
    return {each.name: (each.requests, each.engines.size, each.owners.size) for each in ledger.clients()}


class ClientsMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger(
            request_seconds=400,
            tombstone_seconds=5,
            orphan_seconds=4,
            max_records=MAX_RECORDS,
            max_engines=MAX_ENGINES,
            max_owners=MAX_OWNERS,
        )
        self.ledger.journal = Notes()
        self.now = 1000
        self.seq = 0

    @rule(request=IDS, cluster=CLUSTERS, engine=ENGINES, owner=OWNERS, incarnation=INCARNATIONS, client=CLIENTS,
          attempt=st.integers(0, 3))  # fmt: skip
    def add(
        self, request: str, cluster: str, engine: str, owner: str, incarnation: str, client: str, attempt: int
    ) -> None:
        before = counted(self.ledger).get(client, (0, 0, 0))
        known = self.ledger.find(request) is not None
        size = self.ledger._records.size
        try:
            self.ledger.add(
                request, cluster, engine, 1, self.now, self.now, owner,
                attempt=attempt, incarnation=incarnation, client=client,
            )  # fmt: skip
        except LedgerFull:
            return
        share = max(1, int(MAX_RECORDS * 0.25 / self.ledger.nodes))
        assert known or not client or size * 2 <= MAX_RECORDS or before[0] < share

    @rule(request=IDS, cluster=CLUSTERS, client=CLIENTS)
    def reserve(self, request: str, cluster: str, client: str) -> None:
        names = CandidateNames(["10.0.0.1"], ["10.0.0.1"])
        with suppress(LedgerFull):
            self.ledger.reservations.reserve(
                request, cluster, names, lambda view: EngineChoice(0, 0.0), 1, self.now, self.now, client=client
            )

    @rule(request=IDS, client=CLIENTS, attempt=st.integers(0, 3))
    def first_token(self, request: str, client: str, attempt: int) -> None:
        self.ledger.first_token(request, self.now, self.now, attempt, client)

    @rule(request=IDS, client=CLIENTS, attempt=st.integers(0, 3))
    def done(self, request: str, client: str, attempt: int) -> None:
        self.ledger.done(request, self.now, self.now, attempt=attempt, client=client)

    @rule(request=IDS, client=CLIENTS, attempt=st.integers(0, 3))
    def tokens(self, request: str, client: str, attempt: int) -> None:
        self.ledger.tokens(request, 3, 4, self.now, self.now, attempt, client)

    @rule(owner=OWNERS.filter(bool), ttl=st.sampled_from([1, 50, 86_400]), incarnation=INCARNATIONS, client=CLIENTS)
    def beat(self, owner: str, ttl: int, incarnation: str, client: str) -> None:
        with suppress(LedgerFull):
            self.ledger.beat(owner, ttl, self.now, self.now, incarnation, client)

    @rule(request=IDS, cluster=CLUSTERS, engine=ENGINES, owner=OWNERS, done=st.booleans(), lower=st.booleans())
    def peer(self, request: str, cluster: str, engine: str, owner: str, done: bool, lower: bool) -> None:
        self.seq += 1
        origin = Origin.of("a@1" if lower else "z@1")
        events: list[Added | Done] = [Added(request, cluster, engine, 1, owner)]
        if done:
            events.append(Done(request))
        self.ledger.replica.apply(events, origin, self.seq, self.now, self.now)

    @rule(owner=OWNERS.filter(bool))
    def peers_beat(self, owner: str) -> None:
        self.ledger.replica.apply([Beat(owner, 50, self.now)], Origin.of("a@1"), 1, self.now, self.now)

    @rule()
    def copy_to_itself_without_what_is_live(self) -> None:
        """A peer that has seen everything and holds nothing: what is live here has ended elsewhere."""
        for bucket in range(BUCKETS):
            if self.ledger._records.buckets[bucket]:
                self.ledger.replica.merge(
                    bucket, [], theirs=lambda *dot: True, ours=lambda *dot: True, now=self.now, wall_ns=self.now
                )

    @rule(cluster=CLUSTERS, engine=ENGINES)
    def drop(self, cluster: str, engine: str) -> None:
        self.ledger.drop(cluster, engine)

    @rule(nodes=st.integers(1, 3))
    def nodes_are_found(self, nodes: int) -> None:
        self.ledger.nodes = nodes

    @rule(seconds=st.sampled_from([1, 6, 61, 130, 500]))
    def time_passes(self, seconds: int) -> None:
        self.now += seconds
        while self.ledger.lapse(self.now, 1):
            pass
        while self.ledger.expire(self.now, 1):
            pass

    @rule()
    def clear(self) -> None:
        self.ledger.clear()
        assert self.ledger.clients() == []

    @invariant()
    def each_client_holds_what_refers_to_it(self) -> None:
        assert counted(self.ledger) == recount(self.ledger)

    @rule()
    def balance_the_books(self) -> None:
        audit(self.ledger)

    @invariant()
    def the_caps_hold(self) -> None:
        ledger = self.ledger
        assert ledger._records.size == sum(request_size(each.request_id) for _, each in ledger._records._due)
        assert ledger._records.size < MAX_RECORDS * 1.25 + LARGEST
        assert ledger._engines.size < MAX_ENGINES + LARGEST
        assert ledger._owners.size < MAX_OWNERS * 1.25 + LARGEST

    def teardown(self) -> None:
        audit(self.ledger)
        self.now += 100_000  # beyond every heartbeat
        for _ in range(3):  # what lapses now is forgotten later
            self.time_passes(1000)
        assert self.ledger.clients() == []
        assert (self.ledger._records.size, self.ledger._engines.size, self.ledger._owners.size) == (0, 0, 0)


TestClients = ClientsMachine.TestCase
TestClients.settings = settings(max_examples=8 * EXAMPLES, stateful_step_count=30, deadline=None)


def test_a_client_that_holds_its_share_is_refused_beside_one_that_does_not() -> None:
    ledger = Ledger(max_records=100)
    for number in range(51):
        ledger.add(f"a{number}", "c", "10.0.0.1", 1, 0.0, 1, client="10.0.0.7")
    with pytest.raises(LedgerFull, match="share of 25") as refused:
        ledger.add("a", "c", "10.0.0.1", 1, 0.0, 1, client="10.0.0.7")
    assert "[Load] MaxRequests" in refused.value.reason
    assert "[Quotas] Share" in refused.value.reason
    for number in range(25):
        ledger.add(f"b{number}", "c", "10.0.0.1", 1, 0.0, 1, client="127.0.0.1")
    assert counted(ledger)["10.0.0.7"][0] == 51
    with pytest.raises(LedgerFull):
        ledger.add("b", "c", "10.0.0.1", 1, 0.0, 1, client="127.0.0.1")
