# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Engines that can do more than others, and engines that are new."""

from __future__ import annotations

from collections import Counter
from itertools import count
from math import inf
from random import Random
from typing import Any

import msgspec
import pytest

from edge.call import Call
from edge.errors import InvalidInput
from loadstats.ledger import Ledger
from loadstats.pick.candidate_scores import weighed
from loadstats.pick.handlers import PickHandlers
from loadstats.pick.options import PickOptions
from loadstats.pick.policies import POLICIES
from loadstats.pick.slow_start import LEAST_SHARE, share

BIG, SMALL = "10.0.0.1", "10.0.0.2"


class Gateway:
    def __init__(self, policy: str = "least_load", slow_start: float = 0.0) -> None:
        self.ledger = Ledger()
        self.now = 1000.0
        self._numbers = count()
        options = PickOptions(policy, share=0.0, slow_start_seconds=slow_start)
        random = Random(1).random
        self._pick = PickHandlers(self.ledger, options, random, now=lambda: self.now, wall_ns=lambda: 1).pick

    def pick(self, candidates: list[Any] | None, **members: Any) -> str:
        body = {"cluster": "c", "request_id": f"r{next(self._numbers)}", "candidates": candidates, **members}
        answer: dict[str, Any] = msgspec.json.decode(self._pick(Call(b"", msgspec.json.encode(body), {})))
        return str(answer["ip"])

    def picks(self, candidates: list[Any] | None, times: int, **members: Any) -> Counter[str]:
        return Counter(self.pick(candidates, **members) for _ in range(times))


def test_an_engine_with_a_weight_counts_as_having_less() -> None:
    assert weighed(5, 900, 3.0) == (1.0, 300.0), "six with the next one: a third of them is two"
    assert weighed(0, 0, 2.0) == (-0.5, 0.0), "of idle ones it is the first"
    assert weighed(7, 70, 1.0) == (7, 70)
    assert weighed(0, 0, 0.0) == (inf, 0.0)


@pytest.mark.parametrize("policy", sorted(set(POLICIES) - {"tokens_by_decodes"}))
def test_every_policy_gives_it_as_much_more(policy: str) -> None:
    gateway = Gateway(policy)
    found = gateway.picks([{"ip": BIG, "weight": 3}, SMALL], 400, prompt_length=1000)
    assert found[BIG] == pytest.approx(300, abs=4)


def test_a_product_has_it_in_both_factors() -> None:
    gateway = Gateway("tokens_by_decodes")
    found = gateway.picks([{"ip": BIG, "weight": 3}, SMALL], 400, prompt_length=1000)
    assert found[BIG] == pytest.approx(360, abs=4), "nothing is past its first token, so tokens alone make up for nine"


def test_weights_of_one_are_none() -> None:
    gateway = Gateway()
    assert gateway.picks([{"ip": BIG, "weight": 1.0}, {"ip": SMALL}], 10) == {BIG: 5, SMALL: 5}


def test_a_weight_holds_for_its_call_alone() -> None:
    gateway = Gateway()
    gateway.picks([{"ip": BIG, "weight": 3}, SMALL], 40)
    assert gateway.picks([BIG, SMALL], 20) == {SMALL: 20}, "of 30 and 10"
    assert gateway.picks(None, 10) == {BIG: 5, SMALL: 5}


def test_a_full_one_stays_full() -> None:
    gateway = Gateway()
    gateway.picks([BIG], 4)
    assert gateway.picks([{"ip": BIG, "weight": 100}, SMALL], 3, max_queued=4) == {SMALL: 3}


@pytest.mark.parametrize("weight", [0, 0.001, 101, -1, "2", [1]])
def test_a_wrong_weight_is_refused_by_name(weight: object) -> None:
    with pytest.raises(InvalidInput, match=r"^candidates\[1\]"):
        Gateway().pick([SMALL, {"ip": BIG, "weight": weight}])


def test_a_newcomer_gets_nearly_all_without_a_slow_start() -> None:
    gateway = Gateway()
    gateway.picks([BIG], 20)
    gateway.now += 100
    assert gateway.picks([BIG, SMALL], 20) == {SMALL: 20}


def test_a_newcomer_gets_its_share_bit_by_bit() -> None:
    gateway = Gateway(slow_start=20)
    gateway.picks([BIG], 20)
    gateway.now += 100
    first = gateway.picks([BIG, SMALL], 10)
    assert first[SMALL] <= 3
    gateway.now += 10
    assert gateway.picks([BIG, SMALL], 20)[SMALL] > 8
    gateway.now += 10
    assert gateway.picks([BIG, SMALL], 20)[SMALL] > 15, "then it is as any other"


def test_one_that_the_cluster_does_not_know_is_a_newcomer() -> None:
    gateway = Gateway(slow_start=20)
    gateway.picks([BIG], 5)
    gateway.now += 100
    assert gateway.picks([BIG, SMALL], 1) == {BIG: 1}, "six of its are fewer than ten times the first"


def test_where_all_are_new_they_are_alike() -> None:
    gateway = Gateway(slow_start=20)
    assert gateway.picks([BIG, SMALL], 20) == {BIG: 10, SMALL: 10}


def test_a_newcomer_among_all_engines_of_a_cluster_is_found() -> None:
    gateway = Gateway(slow_start=20)
    gateway.picks([BIG], 5)
    gateway.now += 100
    gateway.picks([SMALL], 1)
    assert gateway.picks(None, 10)[SMALL] <= 1


def test_the_share_grows_evenly() -> None:
    assert [share(age, 20) for age in (0, 1, 5, 10, 20, 30)] == [LEAST_SHARE, LEAST_SHARE, 0.25, 0.5, 1.0, 1.0]
