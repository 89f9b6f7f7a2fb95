# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Any interleaving of calls, duplicates and expiry leaves the ledger equal to the model and to its own records."""

from __future__ import annotations

import itertools

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from loadstats.ledger import OURS, SIGNALS, EngineName, Event, Ledger, Match, Mismatch, Origin, Phase, Row
from tests.audit import audit, nothing_left
from tests.property import EXAMPLES
from tests.property.model import Model, ModelRow

IDS = st.sampled_from([f"r{number}" for number in range(8)])
CLUSTERS = st.sampled_from(["a", "b"])
IPS = st.sampled_from(["10.0.0.1", "10.0.0.1:80", "10.0.0.1:80/2", "::1", "[::1]:80"])
LENGTHS = st.integers(0, 2**31 - 1)
TOKENS = st.tuples(st.integers(0, 9), st.integers(0, 9))
OWNERS = st.sampled_from(["g", "h"])
INCARNATIONS = st.sampled_from(["", "", "one", "two", "three"])
WINDOW, TOMBSTONES, GRACE = 20, 5, 4


class Notes:
    """A journal, so that records have dots and digests count."""

    def __init__(self) -> None:
        self.origin = Origin.of("n@1")
        self.events: list[Event] = []

    def append(self, event: Event, now: float, size: int = 0) -> int:
        self.events.append(event)
        return len(self.events)


def numbers(row: Row) -> ModelRow:
    return ModelRow(row.queued_req_num, row.prompt_length, row.prefill_req_num, row.token_num, row.orphaned_req_num)


def name_of(row: Row) -> str:
    return str(
        EngineName(
            row.ip,
            None if isinstance(row.port, msgspec.UnsetType) else row.port,
            None if isinstance(row.dp_rank, msgspec.UnsetType) else row.dp_rank,
        )
    )


class LedgerMachine(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger(request_seconds=WINDOW, tombstone_seconds=TOMBSTONES, orphan_seconds=GRACE)
        self.ledger.journal = Notes()
        self.model = Model(WINDOW, TOMBSTONES, GRACE)
        self.now = 100

    @rule(
        request_id=IDS,
        cluster=CLUSTERS,
        ip=IPS,
        length=LENGTHS,
        owner=st.one_of(st.just(""), OWNERS),
        incarnation=INCARNATIONS,
    )
    def add(self, request_id: str, cluster: str, ip: str, length: int, owner: str, incarnation: str) -> None:
        known = self.model.added(request_id)
        assert self.ledger.add(request_id, cluster, ip, length, self.now, self.now, owner, incarnation=incarnation) == (
            not known
        )
        self.model.add(request_id, (cluster, ip), length, self.now, owner, incarnation)

    @rule(request_id=IDS, cluster=CLUSTERS, ip=IPS, queued=st.integers(0, 2), prefill=st.integers(0, 2))
    def add_where_it_matches(self, request_id: str, cluster: str, ip: str, queued: int, prefill: int) -> None:
        row = self.model.rows().get((cluster, ip), ModelRow())
        match = Match(queued_req_num=queued, prompt_length=row.prompt_length, prefill_req_num=prefill)
        known = self.model.added(request_id)
        if known or (row.queued, row.prefill) == (queued, prefill):
            assert self.ledger.add(request_id, cluster, ip, 1, self.now, self.now, match=match) == (not known)
            self.model.add(request_id, (cluster, ip), 1, self.now)
        else:
            with pytest.raises(Mismatch) as mismatch:
                self.ledger.add(request_id, cluster, ip, 1, self.now, self.now, match=match)
            assert numbers(mismatch.value.row) == row
            assert name_of(mismatch.value.row) == ip

    @rule(request_id=IDS)
    def first_token(self, request_id: str) -> None:
        self.ledger.first_token(request_id, self.now, self.now)
        self.model.first_token(request_id, self.now)

    @rule(request_id=IDS)
    def done(self, request_id: str) -> None:
        self.ledger.done(request_id, self.now, self.now)
        self.model.done(request_id, self.now)

    @rule(request_id=IDS, tokens=TOKENS)
    def tokens(self, request_id: str, tokens: tuple[int, int]) -> None:
        self.ledger.tokens(request_id, *tokens, self.now, self.now)
        self.model.tokens(request_id, tokens, self.now)

    @rule(request_id=IDS)
    def refresh(self, request_id: str) -> None:
        assert self.ledger.refresh(request_id, self.now, self.now) == self.model.refresh(request_id, self.now)

    @rule(owner=OWNERS, ttl=st.integers(1, 2 * WINDOW), incarnation=INCARNATIONS)
    def beat(self, owner: str, ttl: int, incarnation: str) -> None:
        taken = self.ledger.beat(owner, ttl, self.now, self.now, incarnation)
        assert taken == self.model.beat(owner, ttl, self.now, incarnation)

    @rule(cluster=CLUSTERS, ip=IPS)
    def drop(self, cluster: str, ip: str) -> None:
        assert self.ledger.drop(cluster, ip) == self.model.drop((cluster, ip))

    @rule(holding=st.booleans())
    def hold(self, holding: bool) -> None:
        self.ledger.replica.holding = self.model.holding = holding

    @rule()
    def lapse(self) -> None:
        while self.ledger.lapse(self.now, 1):
            pass
        self.model.lapse(self.now)

    @rule(seconds=st.one_of(st.integers(0, GRACE + 1), st.integers(0, WINDOW + TOMBSTONES + 2)))
    def wait(self, seconds: int) -> None:
        self.now += seconds

    @rule()
    def expire(self) -> None:
        while self.ledger.expire(self.now, 1):
            pass
        self.model.expire(self.now)

    @invariant()
    def the_books_balance(self) -> None:
        audit(self.ledger)

    @invariant()
    def everything_is_the_models(self) -> None:
        rows = {
            (cluster, name_of(row)): numbers(row)
            for cluster in self.ledger.clusters()
            for row in self.ledger.rows(cluster)
        }
        assert rows == self.model.rows()
        assert {record.request_id for record in self.ledger.requests.records()} == self.model.requests.keys()
        assert {owner.name for owner in self.ledger.requests.owners()} == self.model.owners.keys()

    @invariant()
    def the_answer_is_the_rows(self) -> None:
        for cluster in ("a", "b"):
            answer = msgspec.json.decode(self.ledger.loads.answer(cluster), type=list[Row] | None)
            rows = self.ledger.rows(cluster)
            assert sorted(answer or [], key=name_of) == sorted(rows, key=name_of)
            assert (answer is None) == (not rows)

    @invariant()
    def rows_leave_out_what_is_0_unless_asked_for_in_full(self) -> None:
        for cluster in ("a", "b"):
            brief, tag = self.ledger.loads.tagged_answer(cluster)
            full, full_tag = self.ledger.loads.tagged_answer(cluster, full=True)
            assert full_tag == tag
            pairs = zip(msgspec.json.decode(brief) or [], msgspec.json.decode(full) or [], strict=True)
            for row, whole in pairs:
                assert whole.keys() >= SIGNALS.keys()
                assert list(row.items()) == [each for each in whole.items() if each[0] not in OURS or each[1]]

    def teardown(self) -> None:
        """Long after the last call nothing is left of any history."""
        self.ledger.replica.holding = False
        for _ in range(5):
            self.now += 2 * WINDOW + TOMBSTONES
            while self.ledger.lapse(self.now, 1) or self.ledger.expire(self.now, 1):
                pass
        nothing_left(self.ledger)


TestLedgerMachine = LedgerMachine.TestCase
TestLedgerMachine.settings = settings(max_examples=30 * EXAMPLES, stateful_step_count=40, deadline=None)

CALLS = st.lists(
    st.tuples(st.sampled_from(["add", "first_token", "done", "tokens"]), IDS, TOKENS), min_size=1, max_size=8
)


def play(calls: list[tuple[str, str, tuple[int, int]]]) -> dict[str, object]:
    """The rows after calls in which every request has one engine and length, so that only order differs."""
    ledger = Ledger()
    for name, request_id, tokens in calls:
        number = int(request_id[1:])
        if name == "add":
            ledger.add(request_id, f"c{number % 2}", f"10.0.0.{number % 3}", number * 7, 0.0, 0, "g" * (number % 2))
        elif name == "tokens":
            ledger.tokens(request_id, *tokens, 0.0, 0)
        else:
            getattr(ledger, name)(request_id, 0.0, 0)
    audit(ledger)
    listed = {f"{cluster} {row.ip}": numbers(row) for cluster in ledger.clusters() for row in ledger.rows(cluster)}
    phases = {record.request_id: (Phase(record.phase), record.engine is None) for record in ledger.requests.records()}
    ledger.clear()
    return {"rows": listed, "phases": phases}


@settings(max_examples=100 * EXAMPLES)
@given(CALLS, st.randoms(use_true_random=False))
def test_calls_in_any_order_and_twice_end_the_same(
    calls: list[tuple[str, str, tuple[int, int]]], random: object
) -> None:
    repeated = list(itertools.chain(calls, calls[::2]))
    random.shuffle(repeated)  # type: ignore[attr-defined]
    assert play(repeated) == play(calls)
