# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""A request's state is its attempt and its phase, in that order.

So it is whatever the order, the repetition and the way in which nodes hear of it, and whatever clients do on one node.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple
from zlib import crc32

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from msgspec import msgpack

from loadstats.ledger import (
    BUCKETS,
    Added,
    CandidateNames,
    CandidateView,
    Cause,
    Done,
    EngineChoice,
    Event,
    FirstToken,
    Ledger,
    Phase,
    RequestCopy,
    TokensCounted,
)
from loadstats.ledger.record import attempt_of
from tests.audit import audit
from tests.property import EXAMPLES

IDS = st.sampled_from(["r", "s"])
ATTEMPTS = st.integers(1, 4)
CAUSES = st.sampled_from([Cause.GATEWAY, Cause.OPERATOR, Cause.ENGINE_DROP])


class Numbered(NamedTuple):
    """An event with its dot."""

    origin: str
    seq: int
    event: Event


class State(NamedTuple):
    """What is known of a request."""

    attempt: int
    phase: Phase
    engine: str
    tokens: int
    cause: int


def engine_of(origin: str, seq: int) -> str:
    """An add's engine follows from its dot: an event never says one thing and then another."""
    return f"10.0.{ord(origin[0])}.{seq}"


@st.composite
def histories(draw: st.DrawFn) -> list[Numbered]:
    events = []
    for seq in range(1, draw(st.integers(0, 8)) + 1):
        origin, request_id, attempt = draw(st.sampled_from("abc")) + "@1", draw(IDS), draw(ATTEMPTS)
        event: Event
        match draw(st.sampled_from(["add", "add", "first token", "done", "tokens"])):
            case "add":
                event = Added(request_id, "c", engine_of(origin, seq), 10 * seq, "", attempt)
            case "first token":
                event = FirstToken(request_id, attempt)
            case "done":
                event = Done(request_id, draw(CAUSES), attempt)
            case _:
                event = TokensCounted(request_id, draw(st.integers(0, 9)), draw(st.integers(1, 9)), attempt)
        events.append(Numbered(origin, seq, event))
    return events


def expected(history: list[Numbered]) -> dict[str, State]:
    """What must come of it, from all events at once."""
    found = {}
    about: dict[str, list[Numbered]] = {}
    for each in history:
        assert isinstance(each.event, Added | FirstToken | Done | TokensCounted)
        about.setdefault(each.event.request_id, []).append(each)
    for request_id, those in about.items():
        attempt = max(each.event.attempt for each in those)  # type: ignore[union-attr] # all have one
        last = [each for each in those if each.event.attempt == attempt]  # type: ignore[union-attr]
        adds = [(each.origin, each.seq, each.event.engine) for each in last if isinstance(each.event, Added)]
        ends = [each.event.cause for each in last if isinstance(each.event, Done)]
        counted = [each.event for each in last if isinstance(each.event, TokensCounted)]
        phase = Phase.DONE if ends else Phase(any(isinstance(each.event, FirstToken) for each in last))
        tokens = max((each.input_tokens for each in counted), default=0) + max(
            (each.output_tokens for each in counted), default=0
        )
        found[request_id] = State(
            attempt,
            phase,
            min(adds)[2] if adds and not ends else "",
            0 if ends else tokens,
            max(ends, default=0),
        )
    return found


def state(ledger: Ledger) -> dict[str, State]:
    """What a ledger knows. Which engine a request was on does not matter once it is over."""
    return {
        record.request_id: State(
            attempt_of(record),
            Phase(record.phase),
            record.engine.name if record.engine is not None and record.phase is not Phase.DONE else "",
            record.extras.input_tokens + record.extras.output_tokens if record.extras is not None else 0,
            record.cause,
        )
        for record in ledger.requests.records()
    }


def feed(ledger: Ledger, history: list[Numbered]) -> None:
    """Apply events as they come out of the wire."""
    for origin, seq, event in history:
        came = msgpack.decode(msgpack.encode(event), type=Event)
        ledger.replica.apply([came], ledger.replica.origin(origin), seq, 0.0, 1)


def pull(into: Ledger, source: Ledger) -> None:
    for request_id in ("r", "s"):
        bucket = crc32(request_id.encode()) % BUCKETS
        copies = source.replica.copies(bucket, 0.0)
        came = [msgpack.decode(msgpack.encode(copy), type=RequestCopy) for copy in copies]
        into.replica.merge(bucket, came, theirs=lambda *_: False, ours=lambda *_: False, now=0.0, wall_ns=1)


@settings(max_examples=50 * EXAMPLES, deadline=None)
@given(st.data(), histories())
def test_events_in_any_order_and_twice_come_to_the_latest_attempt(data: st.DataObject, history: list[Numbered]) -> None:
    one, other = Ledger(), Ledger()
    feed(one, data.draw(st.permutations(history)))
    again = data.draw(st.lists(st.sampled_from(history), max_size=5)) if history else []
    feed(other, data.draw(st.permutations(history + again)))
    assert state(one) == state(other) == expected(history)
    assert one.replica.digests() == other.replica.digests()
    for ledger in (one, other):
        audit(ledger)


@settings(max_examples=50 * EXAMPLES, deadline=None)
@given(st.data(), histories())
def test_nodes_that_heard_different_parts_and_pull_from_each_other_are_equal(
    data: st.DataObject, history: list[Numbered]
) -> None:
    parts: list[list[Numbered]] = [[], []]
    for each in history:
        for part in data.draw(st.sampled_from([[0], [1], [0, 1]])):
            parts[part].append(each)
    one, other = Ledger(), Ledger()
    feed(one, parts[0])
    feed(other, parts[1])
    for into, source in ((one, other), (other, one), (one, other)):
        pull(into, source)
    whole = Ledger()
    feed(whole, history)
    assert live(one) == live(other) == live(whole)
    assert one.replica.digests() == other.replica.digests() == whole.replica.digests()
    for ledger in (one, other):
        audit(ledger)


def live(ledger: Ledger) -> dict[str, State]:
    """The requests that count."""
    return {request_id: each for request_id, each in state(ledger).items() if each.engine}


# Clients on one node


@dataclass
class ModelRequest:
    attempt: int = 1
    engine: str = ""
    phase: Phase = Phase.PREFILL
    tokens: tuple[int, int] = (0, 0)


@dataclass
class Model:
    """What clients' calls come to, in the plainest way. Without time."""

    requests: dict[str, ModelRequest] = field(default_factory=dict)

    def at(self, request_id: str, attempt: int) -> ModelRequest | None:
        """The request in this attempt, or in the latest where it is 0; None where a later one is known."""
        known = self.requests.get(request_id)
        if known is None or attempt > known.attempt:
            known = self.requests[request_id] = ModelRequest(attempt or 1)
        return known if attempt in (0, known.attempt) else None

    def add(self, request_id: str, attempt: int, engine: str) -> bool:
        found = self.at(request_id, attempt)
        if found is None or found.engine:
            return False
        found.engine = engine
        return True

    def move(self, request_id: str, attempt: int, phase: Phase) -> None:
        found = self.at(request_id, attempt)
        if found is not None and found.phase < phase:
            found.phase = phase
            found.tokens = (0, 0) if phase is Phase.DONE else found.tokens

    def count(self, request_id: str, attempt: int, tokens: tuple[int, int]) -> None:
        if tokens == (0, 0):
            return
        found = self.at(request_id, attempt)
        if found is not None and found.phase is not Phase.DONE:
            found.tokens = max(found.tokens[0], tokens[0]), max(found.tokens[1], tokens[1])

    def pick(self, request_id: str, attempt: int, candidates: list[str]) -> tuple[str, int]:
        known = self.requests.get(request_id)
        if known is not None and known.engine:
            stays = known.phase is not Phase.DONE and known.engine in candidates
            if attempt <= known.attempt if attempt else stays:
                return known.engine, known.attempt
            attempt = attempt or known.attempt + 1
        elif known is not None:
            attempt = max(attempt, known.attempt)
        found = self.at(request_id, attempt)
        assert found is not None
        found.engine = candidates[0]
        return found.engine, found.attempt

    def rows(self) -> dict[str, tuple[int, int, int]]:
        rows: dict[str, tuple[int, int, int]] = {}
        for each in self.requests.values():
            if each.engine and each.phase is not Phase.DONE:
                requests, prefill, tokens = rows.get(each.engine, (0, 0, 0))
                rows[each.engine] = requests + 1, prefill + (each.phase is Phase.PREFILL), tokens + sum(each.tokens)
        return rows


SAID = st.one_of(st.just(0), st.integers(1, 4))  # 0: the call says none
ENGINES = st.sampled_from([f"10.0.0.{number}" for number in range(3)])


class Notes:
    """A journal that hands each event to a peer at once."""

    def __init__(self, peer: Ledger) -> None:
        self.origin = peer.replica.origin("n@1")
        self.number = 0
        self._peer = peer

    def append(self, event: Event, now: float, size: int = 0) -> int:
        self.number += 1
        self._peer.replica.apply([event], self.origin, self.number, now, 1)
        return self.number


class AttemptMachine(RuleBasedStateMachine):
    """One node that clients call, and a peer that hears of it."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger, self.peer = Ledger(), Ledger()
        self.ledger.journal = Notes(self.peer)
        self.model = Model()

    @rule(request_id=IDS, attempt=SAID, engine=ENGINES)
    def add(self, request_id: str, attempt: int, engine: str) -> None:
        taken = self.ledger.add(request_id, "c", engine, 5, 0.0, 1, attempt=attempt)
        assert taken == self.model.add(request_id, attempt, engine)

    @rule(request_id=IDS, attempt=SAID)
    def first_token(self, request_id: str, attempt: int) -> None:
        self.ledger.first_token(request_id, 0.0, 1, attempt)
        self.model.move(request_id, attempt, Phase.DECODE)

    @rule(request_id=IDS, attempt=SAID)
    def done(self, request_id: str, attempt: int) -> None:
        self.ledger.done(request_id, 0.0, 1, attempt=attempt)
        self.model.move(request_id, attempt, Phase.DONE)

    @rule(request_id=IDS, attempt=SAID, tokens=st.tuples(st.integers(0, 5), st.integers(0, 5)))
    def tokens(self, request_id: str, attempt: int, tokens: tuple[int, int]) -> None:
        self.ledger.tokens(request_id, *tokens, 0.0, 1, attempt)
        self.model.count(request_id, attempt, tokens)

    @rule(request_id=IDS, attempt=SAID)
    def refresh(self, request_id: str, attempt: int) -> None:
        known = self.model.requests.get(request_id)
        live = known is not None and known.engine != "" and known.phase is not Phase.DONE
        taken = self.ledger.refresh(request_id, 0.0, 1, attempt)
        assert taken == (live and known is not None and attempt in (0, known.attempt))

    @rule(request_id=IDS, attempt=SAID, candidates=st.lists(ENGINES, min_size=1, unique=True))
    def pick(self, request_id: str, attempt: int, candidates: list[str]) -> None:
        def first(view: CandidateView) -> EngineChoice:
            return EngineChoice([view.name(place) for place in range(len(candidates))].index(candidates[0]), 0.5)

        names = CandidateNames(candidates, candidates)
        reserved = self.ledger.reservations.reserve(request_id, "c", names, first, 5, 0.0, 1, attempt=attempt)
        assert reserved is not None
        assert (reserved.ip, reserved.attempt) == self.model.pick(request_id, attempt, candidates)

    @invariant()
    def both_nodes_are_the_model(self) -> None:
        for ledger in (self.ledger, self.peer):
            audit(ledger)
            rows = {
                row.ip: (row.queued_req_num, row.prefill_req_num, row.token_num)
                for row in ledger.rows("c")
                if row.queued_req_num
            }
            assert rows == self.model.rows()
            attempts = {record.request_id: attempt_of(record) for record in ledger.requests.records()}
            assert attempts == {request_id: known.attempt for request_id, known in self.model.requests.items()}
        assert self.ledger.replica.digests() == self.peer.replica.digests()


TestAttemptMachine = AttemptMachine.TestCase
TestAttemptMachine.settings = settings(max_examples=10 * EXAMPLES, stateful_step_count=25, deadline=None)
