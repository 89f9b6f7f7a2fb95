# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from replication.owed import Owed


def pull(owed: Owed, peer: str, *, whole: bool) -> None:
    owed.begin(peer)
    owed.pulled(peer, ["a", "b", "c"], whole=whole)


def names(owed: Owed) -> set[str]:
    return {each for each in ("a", "b", "c") if each in owed}


def test_nothing_is_owed_at_first() -> None:
    assert not Owed()


def test_it_is_owed_until_all_is_in() -> None:
    owed = Owed()
    owed.add("a")
    owed.begin("a")
    assert owed
    assert names(owed) == set()  # under way: not to be begun again
    owed.pulled("a", ["b"], whole=True)
    assert not owed


def test_what_failed_is_owed_as_before() -> None:
    owed = Owed()
    owed.add("a")
    owed.begin("a")
    owed.failed("a")
    pull(owed, "a", whole=False)
    assert names(owed) == {"b", "c"}


def test_the_others_are_asked_once_each_however_little_they_have() -> None:
    owed = Owed()
    owed.add("a")
    for peer in "abc":
        pull(owed, peer, whole=False)
    assert not owed


def test_one_that_stands_in_may_come_to_be_owed_itself() -> None:
    owed = Owed()
    owed.add("a")
    pull(owed, "a", whole=False)
    owed.add("b")
    pull(owed, "c", whole=False)
    pull(owed, "b", whole=False)
    assert names(owed) == {"a", "c"}


@pytest.mark.parametrize("under_way", [False, True])
def test_the_others_stand_in_for_a_peer_that_is_gone(*, under_way: bool) -> None:
    owed = Owed()
    owed.add("a")
    if under_way:
        owed.begin("a")
        owed.failed("a")
    owed.gone("a", ["b", "c"])
    assert names(owed) == {"b", "c"}
    owed.gone("b", ["c"])  # which was asked in its turn
    assert names(owed) == {"c"}
    owed.gone("nobody", ["b"])
    assert names(owed) == {"c"}


def test_a_pull_by_hand_of_a_peer_that_nothing_is_owed_by_asks_nobody_else() -> None:
    owed = Owed()
    pull(owed, "a", whole=False)
    assert not owed
