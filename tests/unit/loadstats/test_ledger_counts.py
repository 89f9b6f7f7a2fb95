# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What the ledger counts of clients' calls, it counts of peers' events too; and the bounds of what peers may say."""

from __future__ import annotations

import pytest
from msgspec import ValidationError
from msgspec.msgpack import decode, encode

from loadstats.ledger import Added, Done, Event, FirstToken, Ledger, Origin, TokensCounted
from loadstats.ledger.candidate_numbers import CandidateNumbers

A = Origin.of("a@1")


def test_clients_calls_are_counted_once_each() -> None:
    ledger = Ledger()
    for _ in range(2):
        ledger.add("r", "c", "10.0.0.1", 5, 0.0, 1)
        ledger.first_token("r", 0.0, 1)
        ledger.done("r", 0.0, 1)
    counts = ledger.counts()
    assert (counts.added, counts.first_tokens, counts.done, counts.repeated) == (1, 1, 1, 3)


def test_peers_events_are_counted_as_clients_calls_are() -> None:
    ledger = Ledger()
    ledger.replica.apply([Added("r", "c", "10.0.0.1", 5), FirstToken("r"), Done("r")], A, 1, 0.0, 1)
    counts = ledger.counts()
    assert (counts.added, counts.first_tokens, counts.done) == (1, 1, 1)


def test_a_first_token_is_not_counted_for_a_request_whose_engine_is_unknown() -> None:
    ledger = Ledger()
    ledger.tokens("early", 1, 0, 0.0, 1)  # leaves a stub
    ledger.replica.apply([FirstToken("early")], A, 1, 0.0, 1)
    assert ledger.counts().first_tokens == 0


@pytest.mark.parametrize("number", [0, 2**31 - 1])
def test_a_peer_may_count_so_many_tokens(number: int) -> None:
    event = TokensCounted("r", number, 0)
    assert decode(encode(event), type=Event) == event


@pytest.mark.parametrize("number", [-1, 2**31])
def test_a_peer_may_not_count_more(number: int) -> None:
    with pytest.raises(ValidationError):
        decode(encode(TokensCounted("r", number, 0)), type=Event)


@pytest.mark.parametrize(("requests", "prompt"), [(2, 10), (1, 9), (1, 11), (0, 10)])
def test_a_change_of_either_number_is_listed(requests: int, prompt: int) -> None:
    numbers = CandidateNumbers()
    numbers.open("10.0.0.1", 1, 10)
    numbers.update(0, 1, 10)
    assert numbers.changes == 0
    numbers.update(0, requests, prompt)
    assert numbers.since(0) == [0]
    assert (numbers.requests, numbers.prompts) == ([float(requests)], [float(prompt)])
