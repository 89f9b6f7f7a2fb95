# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The bucket of one client's calls."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edge.account import QUANTUM, Account

SECOND = 1_000_000_000


def served(account: Account, calls: int, now_ns: int) -> int:
    """Make so many calls at once. Returns how many are within the limit."""
    within = 0
    for _ in range(calls):
        account.calls += 1
        within += account.calls < account.due or account.look(now_ns)
    return within


def test_a_second_of_calls_at_once_and_then_as_many_as_come_in_again() -> None:
    account = Account("a", 50, 0)
    assert served(account, 80, 0) == 50
    assert account.refused == 30
    assert served(account, 80, SECOND // 10) == 5
    assert served(account, 80, 60 * SECOND) == 50


@given(
    rate=st.integers(1, 10_000),
    steps=st.lists(st.tuples(st.integers(0, SECOND), st.integers(1, 300)), min_size=1, max_size=30),
)
def test_it_serves_what_the_limit_allows_and_not_less(rate: int, steps: list[tuple[int, int]]) -> None:
    account, now, made, within = Account("a", rate, 0), 0, 0, 0
    tokens = float(rate)  # of a bucket that looks at each call
    for wait, calls in steps:
        now += wait
        tokens = min(float(rate), tokens + wait * rate / SECOND)
        expected = min(calls, int(tokens + 1e-6))
        got = served(account, calls, now)
        # A look is late by less than QUANTUM calls, which it then counts.
        assert expected - QUANTUM <= got <= expected + QUANTUM
        tokens -= got
        made, within = made + calls, within + got
    assert within <= rate + now * rate / SECOND + 1
    assert account.refused == made - within


def test_what_is_taken_back_is_not_charged() -> None:
    account = Account("a", 100, 0)
    for _ in range(10_000):
        assert served(account, 1, 0) == 1
        account.take_back()
    assert account.refused == 0


def test_it_is_full_again_after_a_second() -> None:
    account = Account("a", 1000, 0)
    assert account.full(0)
    served(account, 500, 0)
    assert not account.full(SECOND // 4)
    assert account.full(SECOND)
