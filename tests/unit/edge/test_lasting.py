# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What lasts ends with the key that it was begun with, and nothing else does."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from edge.caller import Caller
from edge.lasting import Lasting

ANNA, GATEWAY = Caller("user anna", frozenset()), Caller("key gw", frozenset())


def test_what_a_lost_caller_began_is_ended_once() -> None:
    lasting, ended = Lasting(), list[str]()
    lasting.begin(ANNA, lambda: ended.append("anna"))
    lasting.begin(GATEWAY, lambda: ended.append("first"))
    lasting.begin(GATEWAY, lambda: ended.append("second"))
    assert lasting.begun == 3
    assert lasting.end_without(lambda caller: caller is ANNA) == 2
    assert ended == ["first", "second"]
    assert lasting.end_without(lambda caller: caller is ANNA) == 0
    assert lasting.begun == 1


def test_what_is_over_by_itself_is_not_ended() -> None:
    lasting, ended = Lasting(), list[str]()
    over = lasting.begin(GATEWAY, lambda: ended.append("socket"))
    over()
    over()
    with lasting.during(GATEWAY, lambda: ended.append("wait")):
        assert lasting.begun == 1
    with pytest.raises(ZeroDivisionError), lasting.during(GATEWAY, lambda: ended.append("wait")):
        1 / 0  # noqa: B018
    assert lasting.end_without(lambda caller: False) == 0
    assert ended == []


def test_strangers_are_not_kept() -> None:
    lasting = Lasting()
    over = lasting.begin(None, lambda: None)
    assert lasting.begun == 0
    over()


def test_an_end_may_end_others() -> None:
    lasting, ended = Lasting(), list[str]()
    overs: list[Callable[[], None]] = []

    def first() -> None:
        ended.append("first")
        overs[0]()

    lasting.begin(GATEWAY, first)
    overs.append(lasting.begin(GATEWAY, lambda: ended.append("second")))
    lasting.end_without(lambda caller: False)
    assert ended == ["first"]


def test_each_caller_is_judged_once() -> None:
    lasting, judged = Lasting(), list[Caller]()
    for _ in range(5):
        lasting.begin(GATEWAY, lambda: None)

    def holds(caller: Caller) -> bool:
        judged.append(caller)
        return True

    lasting.end_without(holds)
    assert judged == [GATEWAY]
