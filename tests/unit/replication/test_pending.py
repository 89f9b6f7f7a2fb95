# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from replication.pending import PendingPulls


def pull(pending: PendingPulls, peer: str, *, whole: bool) -> None:
    pending.begin(peer)
    pending.pulled(peer, ["a", "b", "c"], whole=whole)


def names(pending: PendingPulls) -> set[str]:
    return {each for each in ("a", "b", "c") if each in pending}


def test_nothing_is_pending_at_first() -> None:
    assert not PendingPulls()


def test_it_is_pending_until_all_is_in() -> None:
    pending = PendingPulls()
    pending.add("a")
    pending.begin("a")
    assert pending
    assert names(pending) == set()  # under way: not to be begun again
    pending.pulled("a", ["b"], whole=True)
    assert not pending


def test_what_failed_is_pending_as_before() -> None:
    pending = PendingPulls()
    pending.add("a")
    pending.begin("a")
    pending.failed("a")
    pull(pending, "a", whole=False)
    assert names(pending) == {"b", "c"}


def test_the_others_are_asked_once_each_however_little_they_have() -> None:
    pending = PendingPulls()
    pending.add("a")
    for peer in "abc":
        pull(pending, peer, whole=False)
    assert not pending


def test_one_that_stands_in_may_come_to_be_pending_itself() -> None:
    pending = PendingPulls()
    pending.add("a")
    pull(pending, "a", whole=False)
    pending.add("b")
    pull(pending, "c", whole=False)
    pull(pending, "b", whole=False)
    assert names(pending) == {"a", "c"}


@pytest.mark.parametrize("under_way", [False, True])
def test_the_others_stand_in_for_a_peer_that_is_gone(*, under_way: bool) -> None:
    pending = PendingPulls()
    pending.add("a")
    if under_way:
        pending.begin("a")
        pending.failed("a")
    pending.gone("a", ["b", "c"])
    assert names(pending) == {"b", "c"}
    pending.gone("b", ["c"])  # which was asked in its turn
    assert names(pending) == {"c"}
    pending.gone("nobody", ["b"])
    assert names(pending) == {"c"}


def test_a_pull_by_hand_of_a_peer_that_nothing_is_pending_by_asks_nobody_else() -> None:
    pending = PendingPulls()
    pull(pending, "a", whole=False)
    assert not pending
