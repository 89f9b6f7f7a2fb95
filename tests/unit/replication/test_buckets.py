# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""How a Want and a State travel, and within which bounds."""

from __future__ import annotations

import pytest
from msgspec import Struct, ValidationError, msgpack

from replication.buckets import Layout, State, Want


class Word(Struct, frozen=True, array_like=True):
    text: str


class Lost(Struct, frozen=True, array_like=True):
    text: str


PLAIN, LEADING = Layout(Word, 4), Layout(Word, 4, before=Lost)


def test_a_plain_state_is_its_version_and_buckets() -> None:
    state = State(1, [(2, [Word("a")]), (0, [])])
    body = PLAIN.write_state(state)
    assert msgpack.decode(body) == [1, [[2, [["a"]]], [0, []]]]
    assert PLAIN.read_state(body) == State(1, [(2, [Word("a")]), (0, [])], (), whole=True)


def test_what_comes_before_the_buckets_travels_before_them() -> None:
    state = State(1, [(2, [Word("a")])], [Lost("b")], whole=False)
    body = LEADING.write_state(state)
    assert msgpack.decode(body) == [1, False, [["b"]], [[2, [["a"]]]]]
    assert LEADING.read_state(body) == state


def test_members_at_the_end_that_are_not_known_are_ignored() -> None:
    assert PLAIN.read_want(msgpack.encode([1, [3], ["f"], "new"])) == Want(1, [3], ["f"])
    assert PLAIN.read_want(msgpack.encode([1, [3]])) == Want(1, [3])
    assert PLAIN.read_state(msgpack.encode([1, [], "a@1", "new"])) == State(1, [], origin="a@1")
    assert LEADING.read_state(msgpack.encode([1, True, [], [], "a@1", "new"])) == State(1, [], [], origin="a@1")


@pytest.mark.parametrize("layout", [PLAIN, LEADING])
def test_whose_state_it_is_stands_last_and_may_be_missing(layout: Layout) -> None:
    state = State(1, [(2, [Word("a")])], [] if layout is LEADING else (), origin="a@1")
    body = layout.write_state(state)
    assert layout.read_state(body) == state
    *members, origin = msgpack.decode(body)
    assert origin == "a@1"
    assert layout.read_state(msgpack.encode(members)).origin == ""
    with pytest.raises(ValidationError):
        layout.read_state(msgpack.encode([*members, "a" * 129]))


@pytest.mark.parametrize("buckets", [[], [4], [-1], [0] * 5, ["0"]])
def test_a_want_out_of_bounds_is_refused(buckets: list[object]) -> None:
    with pytest.raises(ValidationError):
        PLAIN.read_want(msgpack.encode([1, buckets]))


@pytest.mark.parametrize("layout", [PLAIN, LEADING])
@pytest.mark.parametrize("buckets", [[[4, []]], [[-1, []]], [[0, []]] * 5, [[0, [[7]]]], [[0]]])
def test_a_state_out_of_bounds_is_refused(layout: Layout, buckets: list[object]) -> None:
    lead = [] if layout is PLAIN else [True, []]
    with pytest.raises(ValidationError):
        layout.read_state(msgpack.encode([1, *lead, buckets]))
