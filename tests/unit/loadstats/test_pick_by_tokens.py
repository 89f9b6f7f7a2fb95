# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The policies that count what engines have to read, and what of a prompt counts on its engine."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

import msgspec
import pytest

from edge.call import Call
from edge.errors import InvalidInput
from kvcache.index import Lengths
from loadstats.ledger import CandidateView, Ledger
from loadstats.ledger.candidate_numbers import CandidateNumbers
from loadstats.pick.cache_credit import PromptToRead
from loadstats.pick.candidate_scores import CandidateScores
from loadstats.pick.handlers import PickHandlers
from loadstats.pick.options import PickOptions
from loadstats.pick.policies import choose

Engines = Sequence[tuple[int, int, int]]
"""Requests, prompt length and requests before their first token, by place."""


def place_of(engines: Engines, options: PickOptions, prompt: PromptToRead) -> int:
    loads = CandidateNumbers()
    for place, each in enumerate(engines):
        loads.open(str(place), *each)
    view = CandidateView(loads, list.copy, loads.ips, str)
    choice = choose(CandidateScores.of(view, options), prompt, options, Random(1).random)
    assert choice is not None
    return choice.place


def held(**blocks: int) -> Lengths:
    others = {name[1:]: length for name, length in blocks.items()}
    return Lengths(max(others.values()), 0, others, tuple(others), "")


def test_the_least_to_read_is_taken() -> None:
    options = PickOptions("least_tokens")
    assert place_of([(1, 900, 1), (2, 600, 1), (9, 0, 0)], options, PromptToRead(500)) == 1


def test_a_request_counts_as_some_tokens() -> None:
    engines = [(1, 900, 1), (2, 600, 1)]
    assert place_of(engines, PickOptions("least_tokens", request_tokens=299.0), PromptToRead()) == 1
    assert place_of(engines, PickOptions("least_tokens", request_tokens=301.0), PromptToRead()) == 0


def test_what_is_cached_need_not_be_read() -> None:
    engines = [(0, 0, 0), (1, 300, 1)]
    options = PickOptions("least_tokens")
    assert place_of(engines, options, PromptToRead(1000, 10, held(_1=5))) == 0
    assert place_of(engines, options, PromptToRead(1000, 10, held(_1=6))) == 1
    assert place_of(engines, options, PromptToRead(100, 10, held(_1=10))) == 0, "a short prompt is soon read"


@pytest.mark.parametrize("engines", [2, 3])
def test_what_is_usual_is_no_different(engines: int) -> None:
    """With `usual` the rest is counted from another end; the product needs the numbers as they are."""
    names = tuple(str(place) for place in range(engines - 1))
    usual = Lengths(4, 4, {}, names, "")
    loads = CandidateNumbers()
    for place in range(engines):
        loads.open(str(place), 1, 100, 1)
    scores = CandidateScores.of(CandidateView(loads, list.copy, loads.ips, str), PickOptions())
    assert scores.work(250.0, PromptToRead(800, 8, usual)) == [750.0] * (engines - 1) + [1150.0]


def test_the_product_takes_requests_past_their_first_token() -> None:
    options = PickOptions("tokens_by_decodes")
    engines = [(4, 500, 1), (4, 500, 4), (1, 2000, 0)]
    assert place_of(engines, options, PromptToRead(500)) == 1
    assert place_of([(3, 100, 0), (0, 399, 0)], options, PromptToRead()) == 1
    assert place_of([(3, 99, 0), (0, 400, 0)], options, PromptToRead()) == 0


@pytest.mark.parametrize("policy", ["least_tokens", "tokens_by_decodes"])
@pytest.mark.parametrize("tokens", [0.0, 250.0])
def test_a_full_one_is_not_taken(policy: str, tokens: float) -> None:
    options = PickOptions(policy, max_queued=2, request_tokens=tokens)
    assert place_of([(2, 0, 0), (1, 90_000, 1)], options, PromptToRead(10, 10, held(_0=10))) == 1


class Node:
    def __init__(self, options: PickOptions, **blocks: int) -> None:
        self.ledger = Ledger()
        cached = held(**blocks) if blocks else None
        self._pick = PickHandlers(
            self.ledger, options, Random(1).random, cached=lambda *_: cached, now=lambda: 0.0, wall_ns=lambda: 1
        ).pick

    def pick(self, request_id: str = "r", **members: Any) -> dict[str, Any]:
        body = {"cluster": "c", "request_id": request_id, "candidates": ["10.0.0.1"], **members}
        answer: dict[str, Any] = msgspec.json.decode(self._pick(Call(b"", msgspec.json.encode(body), {})))
        return answer


CACHED = {"_10.0.0.1": 3}


def test_a_prompt_counts_whole_unless_it_is_said() -> None:
    node = Node(PickOptions(), **CACHED)
    row = node.pick(prompt_length=1000, prompt_hash=[1, 2, 3, 4])
    assert (row["prompt_length"], row["cache_length"]) == (1000, 3)


def test_what_is_cached_can_be_left_out() -> None:
    for node, said in (Node(PickOptions(), **CACHED), True), (Node(PickOptions(uncached=True), **CACHED), None):
        row = node.pick(prompt_length=1000, prompt_hash=[1, 2, 3, 4], uncached=said)
        assert row["prompt_length"] == 250
        record = node.ledger.find("r")
        assert record is not None
        assert record.prompt_length == 250, "so its first token takes as much off"


def test_a_call_may_say_that_it_counts_whole() -> None:
    node = Node(PickOptions(uncached=True), **CACHED)
    assert node.pick(prompt_length=1000, prompt_hash=[1, 2, 3, 4], uncached=False)["prompt_length"] == 1000


def test_a_prompt_that_is_cached_whole_counts_a_little() -> None:
    node = Node(PickOptions(uncached=True), **CACHED)
    assert node.pick("a", prompt_length=1000, prompt_hash=[1, 2, 3])["prompt_length"] == 1
    assert node.pick("b", prompt_length=0, prompt_hash=[1, 2, 3])["prompt_length"] == 1
    assert node.pick("c", prompt_length=7)["prompt_length"] == 8, "without hashes all of it"


def test_a_call_may_say_what_a_request_costs() -> None:
    node = Node(PickOptions("least_tokens"))
    for number in range(3):
        node.ledger.add(f"one{number}", "c", "10.0.0.1", 0, 0.0, 1)
    node.ledger.add("two", "c", "10.0.0.2", 600, 0.0, 1)
    two = ["10.0.0.1", "10.0.0.2"]
    assert node.pick("a", candidates=two, weights={"request_tokens": 400})["ip"] == "10.0.0.2"
    assert node.pick("b", candidates=two, weights={"request_tokens": 100})["ip"] == "10.0.0.1"
    with pytest.raises(InvalidInput, match=r"^weights\.request_tokens: "):
        node.pick("c", weights={"request_tokens": -1})
