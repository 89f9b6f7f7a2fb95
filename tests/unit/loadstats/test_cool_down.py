# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""An engine whose requests end with an error is left out for a while, on every node that hears of it."""

from __future__ import annotations

from itertools import count
from random import Random
from typing import Any

import pytest
from msgspec import msgpack
from msgspec.json import decode, encode

from edge.call import Call
from edge.errors import InvalidInput
from loadstats.handlers import LoadHandlers
from loadstats.ledger import FAILED, Added, Cause, Done, Event, Failures, FirstToken, Ledger, Origin
from loadstats.ledger.failures import FORGOTTEN_SECONDS, MAX_FAILURES, after_end
from loadstats.pick.cool_down import LONGEST_SECONDS, rest_seconds
from loadstats.pick.handlers import PickHandlers
from loadstats.pick.options import PickOptions

A = Origin.of("a@1")
BAD, GOOD = "10.0.0.1", "10.0.0.2"


class Gateway:
    """A gateway of one node, whose clock it sets."""

    def __init__(self, cool_down: float = 1.0) -> None:
        self.ledger = Ledger()
        self.now = 100.0
        self._numbers = count()
        random = Random(1).random
        now, wall_ns = lambda: self.now, lambda: 1
        how = PickOptions("least_load", cool_down_seconds=cool_down)
        self._pick = PickHandlers(self.ledger, how, random, now=now, wall_ns=wall_ns).pick
        self._loads = LoadHandlers(self.ledger, now=now, wall_ns=wall_ns)

    def picks(self, *engines: str, **members: object) -> tuple[str, str]:
        """Pick. Returns the request's id and its engine."""
        request_id = f"r{next(self._numbers)}"
        body = {"cluster": "c", "request_id": request_id, "candidates": engines or (BAD, GOOD), **members}
        return request_id, decode(self._pick(Call(b"", encode(body), {})))["ip"]

    def ends(self, request_id: str, outcome: str | None = "error") -> None:
        self._loads.done(Call(b"", encode({"request_id": request_id, "outcome": outcome}), {}))

    def fails(self, engine: str = BAD) -> None:
        """A request that was sent to an engine now fails."""
        self.ends(self.picks(engine)[0])

    def answers(self, engine: str = BAD) -> None:
        """A request that was sent to an engine now is answered."""
        request_id, _ = self.picks(engine)
        self._loads.first_token(Call(b"", encode({"request_id": request_id}), {}))
        self.ends(request_id, None)

    def chosen(self, times: int = 20) -> set[str]:
        """The engines of picks that end at once, without a word."""
        found = set()
        for _ in range(times):
            request_id, engine = self.picks()
            self.ends(request_id, None)
            found.add(engine)
        return found

    def failures(self) -> Failures | None:
        return failures_of(self.ledger)


def failures_of(ledger: Ledger) -> Failures | None:
    engine = ledger.loads.engine("c", BAD)
    assert engine is not None
    return engine.failures


def test_one_error_leaves_the_engine_out_for_a_while() -> None:
    gateway = Gateway()
    gateway.fails()
    assert gateway.chosen() == {GOOD}
    gateway.now += 1
    assert gateway.chosen() == {GOOD}
    gateway.now += 1
    assert gateway.chosen() == {BAD, GOOD}


def test_an_end_without_outcome_leaves_nothing_out() -> None:
    gateway = Gateway()
    request_id, _ = gateway.picks(BAD)
    gateway.ends(request_id, None)
    assert gateway.chosen() == {BAD, GOOD}


def test_it_gets_a_few_of_many_requests_that_all_fail_there() -> None:
    gateway = Gateway()
    sent = 0
    for _ in range(300):  # ten a second
        request_id, engine = gateway.picks()
        sent += engine == BAD
        gateway.ends(request_id, "error" if engine == BAD else None)
        gateway.now += 0.1
    assert 2 <= sent <= 6


def test_each_further_failure_doubles_the_time() -> None:
    gateway = Gateway()
    for number in range(1, 9):
        gateway.fails()
        failures = gateway.failures()
        assert failures == Failures(number, int(gateway.now))
        assert rest_seconds(failures, 1.0) == min(2 ** (number - 1), LONGEST_SECONDS)
        gateway.now += 70
    assert rest_seconds(Failures(9, 0), 90.0) == 90, "the longest is no shorter than the first"


def test_what_breaks_with_the_engine_is_one_failure() -> None:
    gateway = Gateway()
    held = [gateway.picks(BAD)[0] for _ in range(50)]
    gateway.now += 30
    for request_id in held:
        gateway.ends(request_id)
    assert gateway.failures() == Failures(1, 130)


def test_an_answer_ends_it_if_it_was_sent_later() -> None:
    gateway = Gateway()
    older, _ = gateway.picks(BAD)
    gateway.fails()
    gateway.ends(older, None)
    assert gateway.failures() == Failures(1, 100)
    gateway.now += 1
    gateway.answers()
    assert gateway.failures() is None
    assert gateway.chosen() == {BAD, GOOD}


def test_an_end_that_nobody_answered_ends_nothing() -> None:
    gateway = Gateway()
    gateway.fails()
    gateway.now += 5
    request_id, _ = gateway.picks(BAD)
    gateway.ends(request_id, None)
    assert gateway.failures() == Failures(1, 100)


def test_failures_are_forgotten() -> None:
    gateway = Gateway()
    for _ in range(3):
        gateway.fails()
        gateway.now += 10
    gateway.now += FORGOTTEN_SECONDS
    gateway.fails()
    assert gateway.failures() == Failures(1, int(gateway.now))


def test_only_a_gateways_word_counts() -> None:
    for cause in Cause:
        if cause is not Cause.GATEWAY:
            assert after_end(None, cause, 1, 2, answered=True) is None
            assert after_end(Failures(2, 0), cause, 1, 2, answered=True) == Failures(2, 0)
    assert after_end(Failures(MAX_FAILURES, 0), FAILED, 1, 2, answered=True) == Failures(MAX_FAILURES, 2)


def test_where_all_fail_one_is_chosen_as_if_none_did() -> None:
    gateway = Gateway()
    gateway.fails(BAD)
    gateway.fails(GOOD)
    assert gateway.chosen() == {BAD, GOOD}


def test_one_that_is_full_does_not_count_as_another() -> None:
    gateway = Gateway()
    gateway.fails()
    for _ in range(3):
        gateway.picks(GOOD)
    assert gateway.picks(max_queued=3)[1] == BAD
    assert gateway.picks(max_queued=4)[1] == GOOD


def test_it_can_be_turned_off() -> None:
    gateway = Gateway(cool_down=0.0)
    gateway.fails()
    assert gateway.chosen() == {BAD, GOOD}


@pytest.mark.parametrize("policy", ["score", "least_load", "power_of_two"])
@pytest.mark.parametrize("named", [True, False])
def test_every_policy_keeps_to_it(policy: str, named: bool) -> None:
    gateway = Gateway()
    engines = [f"10.0.0.{number}" for number in range(1, 9)]
    for engine in engines[:4]:
        gateway.fails(engine)
    for engine in engines[4:]:
        gateway.answers(engine)
    some = engines if named else None
    chosen = {gateway.picks(policy=policy, candidates=some)[1] for _ in range(60)}
    assert chosen <= set(engines[4:])
    assert len(chosen) > 1


def test_a_request_that_is_under_way_stays() -> None:
    gateway = Gateway()
    body = encode({"cluster": "c", "request_id": "stays", "candidates": [BAD]})
    gateway._pick(Call(b"", body, {}))
    gateway.fails()
    body = encode({"cluster": "c", "request_id": "stays", "candidates": [BAD, GOOD]})
    assert decode(gateway._pick(Call(b"", body, {})))["ip"] == BAD


def test_an_engine_that_is_dropped_begins_anew() -> None:
    gateway = Gateway()
    gateway.fails()
    gateway.ledger.drop("c", BAD)
    assert gateway.chosen() == {BAD, GOOD}


def test_an_error_that_overtakes_its_start_counts() -> None:
    gateway = Gateway()
    gateway.ends("early")
    gateway.ledger.add("early", "c", BAD, 0, gateway.now, 1)
    assert gateway.failures() == Failures(1, 100)


def test_other_nodes_hear_of_it() -> None:
    events: list[Event] = [Added("r", "c", BAD, 0), Done("r", FAILED)]
    ledger = Ledger()
    sent = msgpack.decode(msgpack.encode(events), type=list[Event])
    ledger.replica.apply(sent, A, 1, 100.0, 1, age_seconds=3.0)
    assert failures_of(ledger) == Failures(1, 97)
    assert ledger.counts().failed == 1
    again: list[Event] = [Added("q", "c", BAD, 0), FirstToken("q"), Done("q")]
    ledger.replica.apply(again, A, 3, 105.0, 1)
    assert failures_of(ledger) is None


def test_the_event_says_no_more_to_a_node_that_knows_no_outcomes() -> None:
    sent: list[Any] = []

    class Journal:
        origin = A

        def append(self, event: object, now: float, size: int = 0) -> int:
            sent.append(msgpack.decode(msgpack.encode(event)))
            return len(sent)

    gateway = Gateway()
    gateway.ledger.journal = Journal()
    gateway.ledger.add("r", "c", BAD, 0, 100.0, 1)
    gateway.ends("r")
    assert sent[-1] == [2, "r", 28, 1], "an end whose cause is a byte, as ever"
    assert sent[-1][2] & 0x0F == Cause.GATEWAY


def test_its_tombstone_shows_it() -> None:
    gateway = Gateway()
    gateway.fails()
    seen = gateway.ledger.requests.look("r0", gateway.now)
    assert seen is not None
    assert (seen.cause, seen.outcome) == ("gateway", "error")


def test_a_copy_begins_no_cool_down() -> None:
    gateway, other = Gateway(), Ledger()
    other.add("r0", "c", BAD, 0, 100.0, 1)
    gateway.fails()
    for bucket in range(1024):
        copies = gateway.ledger.replica.copies(bucket, 100.0)
        other.replica.merge(bucket, copies, theirs=lambda *_: False, ours=lambda *_: False, now=100.0, wall_ns=1)
    seen = other.requests.look("r0", 100.0)
    assert seen is not None
    assert (seen.phase, seen.outcome) == ("done", "error")
    assert failures_of(other) is None


@pytest.mark.parametrize("outcome", ["ok", "", 1, ["error"]])
def test_a_wrong_outcome_is_refused_by_name(outcome: object) -> None:
    gateway = Gateway()
    request_id, _ = gateway.picks(BAD)
    with pytest.raises(InvalidInput, match=r"^outcome: "):
        gateway._loads.done(Call(b"", encode({"request_id": request_id, "outcome": outcome}), {}))
    assert gateway.ledger.counts().in_flight == 1
