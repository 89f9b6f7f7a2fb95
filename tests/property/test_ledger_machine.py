# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Any interleaving of calls, duplicates and expiry leaves the ledger equal to the model and to its own records."""

from __future__ import annotations

import itertools

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from loadstats.ledger import Ledger, Phase
from tests.property.model import Model

IDS = st.sampled_from([f"r{number}" for number in range(12)])
CLUSTERS = st.sampled_from(["a", "b"])
IPS = st.sampled_from(["10.0.0.1", "10.0.0.2", "::1"])
LENGTHS = st.integers(0, 2**31 - 1)
WINDOW, TOMBSTONES = 20, 5


def expire_fully(ledger: Ledger, now: float) -> None:
    while ledger.expire(now, 1):
        pass


class LedgerMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger(request_seconds=WINDOW, tombstone_seconds=TOMBSTONES)
        self.model = Model(WINDOW, TOMBSTONES)
        self.now = 100

    @rule(request_id=IDS, cluster=CLUSTERS, ip=IPS, length=LENGTHS)
    def add(self, request_id: str, cluster: str, ip: str, length: int) -> None:
        self.ledger.add(request_id, cluster, ip, length, self.now, self.now)
        self.model.add(request_id, (cluster, ip), length, self.now)

    @rule(request_id=IDS)
    def first_token(self, request_id: str) -> None:
        self.ledger.first_token(request_id, self.now, self.now)
        self.model.first_token(request_id, self.now)

    @rule(request_id=IDS)
    def done(self, request_id: str) -> None:
        self.ledger.done(request_id, self.now, self.now)
        self.model.done(request_id, self.now)

    @rule(seconds=st.integers(0, WINDOW + TOMBSTONES + 2))
    def expire(self, seconds: int) -> None:
        self.now += seconds
        expire_fully(self.ledger, self.now)
        self.model.expire(self.now)

    @invariant()
    def rows_are_the_models(self) -> None:
        rows = {
            (cluster, row.ip): (row.queued_req_num, row.prompt_length)
            for cluster in self.ledger.clusters()
            for row in self.ledger.rows(cluster)
        }
        assert rows == self.model.rows()

    @invariant()
    def the_answer_is_the_rows(self) -> None:
        for cluster in ("a", "b"):
            answer = msgspec.json.decode(self.ledger.answer(cluster))
            rows = self.ledger.rows(cluster)
            assert sorted(answer or [], key=lambda row: row["ip"]) == sorted(
                (msgspec.to_builtins(row) for row in rows), key=lambda row: row["ip"]
            )
            assert (answer is None) == (not rows)

    @invariant()
    def counts_are_the_records(self) -> None:
        records = list(self.ledger.records())
        counts = self.ledger.counts()
        done = [record for record in records if record.phase is Phase.DONE and record.engine is not None]
        stubs = [record for record in records if record.engine is None]
        assert (counts.tombstones, counts.stubs) == (len(done), len(stubs))
        assert counts.in_flight == len(records) - len(done) - len(stubs)
        assert len(records) == len(self.model.requests)

    def teardown(self) -> None:
        """Long after the last call nothing is left of any history."""
        for _ in range(3):
            self.now += WINDOW + TOMBSTONES
            expire_fully(self.ledger, self.now)
        assert list(self.ledger.records()) == []
        assert self.ledger.clusters() == []
        counts = self.ledger.counts()
        assert (counts.in_flight, counts.tombstones, counts.stubs, counts.engines) == (0, 0, 0, 0)


TestLedgerMachine = LedgerMachine.TestCase
TestLedgerMachine.settings = settings(max_examples=1000, stateful_step_count=30, deadline=None)

CALLS = st.lists(st.tuples(st.sampled_from(["add", "first_token", "done"]), IDS), min_size=1, max_size=8)


def play(calls: list[tuple[str, str]]) -> dict[str, object]:
    """The rows after calls in which every request has one engine and length, so that only order differs."""
    ledger = Ledger()
    for name, request_id in calls:
        number = int(request_id[1:])
        if name == "add":
            ledger.add(request_id, f"c{number % 2}", f"10.0.0.{number % 3}", number * 7, 0.0, 0)
        else:
            getattr(ledger, name)(request_id, 0.0, 0)
    listed = {
        f"{cluster} {row.ip}": (row.queued_req_num, row.prompt_length)
        for cluster in ledger.clusters()
        for row in ledger.rows(cluster)
    }
    phases = {record.request_id: (record.phase, record.engine is None) for record in ledger.records()}
    ledger.clear()
    return {"rows": listed, "phases": phases}


@settings(max_examples=3000)
@given(CALLS, st.randoms(use_true_random=False))
def test_calls_in_any_order_and_twice_end_the_same(calls: list[tuple[str, str]], random: object) -> None:
    repeated = list(itertools.chain(calls, calls[::2]))
    random.shuffle(repeated)  # type: ignore[attr-defined]
    assert play(repeated) == play(calls)
