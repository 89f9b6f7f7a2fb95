# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The client's own count."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from loadstats.replay.engines import ReplayEngine
from loadstats.replay.expectations import Difference, Expectations


def test_it_expects_zeros_of_a_cluster_without_requests() -> None:
    expected = Expectations()
    assert expected.differences([]) == []
    assert expected.differences([ReplayEngine("a", 0, 0)]) == []
    assert expected.differences([ReplayEngine("a", 1, 0)]) == [Difference("a", "queued_req_num", "0", 1)]


def test_it_follows_a_request_through_its_life() -> None:
    expected = Expectations()
    expected.added("r", "a", 70, sure=True)
    assert expected.differences([ReplayEngine("a", 1, 70)]) == []
    expected.first_token("r", sure=True)
    assert expected.differences([ReplayEngine("a", 1, 0)]) == []
    assert expected.open_requests == ["r"]
    expected.done("r", sure=True)
    assert expected.differences([]) == []
    assert expected.open_requests == []


def test_it_names_engine_member_and_both_numbers_of_a_difference() -> None:
    expected = Expectations()
    expected.added("r", "b", 70, sure=True)
    expected.added("s", "a", 5, sure=True)
    assert expected.differences([ReplayEngine("a", 1, 5)]) == [
        Difference("b", "queued_req_num", "1", 0),
        Difference("b", "prompt_length", "70", 0),
    ]


def test_it_counts_an_engine_that_is_listed_twice_twice() -> None:
    expected = Expectations()
    expected.added("r", "a", 7, sure=True)
    row = ReplayEngine("a", 1, 7)
    assert [each.shown for each in expected.differences([row, row])] == [2, 14]


def test_a_failed_add_allows_both_outcomes_until_an_end_settles_it() -> None:
    expected = Expectations()
    expected.added("r", "a", 7, sure=False)
    assert expected.differences([]) == []
    assert expected.differences([ReplayEngine("a", 1, 7)]) == []
    assert expected.differences([ReplayEngine("a", 2, 8)]) == [
        Difference("a", "queued_req_num", "0 to 1", 2),
        Difference("a", "prompt_length", "0 to 7", 8),
    ]
    expected.done("r", sure=True)
    assert len(expected.differences([ReplayEngine("a", 1, 7)])) == 2


def test_a_failed_end_leaves_the_request_open() -> None:
    expected = Expectations()
    expected.added("r", "a", 7, sure=True)
    expected.first_token("r", sure=False)
    assert expected.differences([ReplayEngine("a", 1, 0)]) == []
    expected.done("r", sure=False)
    assert expected.differences([ReplayEngine("a", 1, 7)]) == []
    assert expected.open_requests == ["r"]


@given(
    st.lists(
        st.tuples(
            st.integers(0, 2),
            st.integers(0, 100),
            st.lists(st.tuples(st.booleans(), st.booleans()), min_size=3, max_size=3),
            st.integers(1, 3),
        ),
        max_size=12,
    )
)
def test_an_honest_node_never_differs_whatever_calls_fail(
    lives: list[tuple[int, int, list[tuple[bool, bool]], int]],
) -> None:
    expected, node = Expectations(), dict[str, list[int]]()

    def rows() -> list[ReplayEngine]:
        counted = dict[int, list[int]]()
        for engine, prompt in node.values():
            total = counted.setdefault(engine, [0, 0])
            total[0] += 1
            total[1] += prompt
        return [ReplayEngine(str(engine), *total) for engine, total in counted.items()]

    for index, (engine, prompt, outcomes, steps) in enumerate(lives):
        name = str(index)
        for step, (answered, carried_out) in enumerate(outcomes[:steps]):
            happens = answered or carried_out
            if step == 0:
                expected.added(name, str(engine), prompt, sure=answered)
                if happens:
                    node[name] = [engine, prompt]
            elif step == 1:
                expected.first_token(name, sure=answered)
                if happens and name in node:
                    node[name][1] = 0
            else:
                expected.done(name, sure=answered)
                if happens:
                    node.pop(name, None)
            assert expected.differences(rows()) == []
    assert set(node) <= set(expected.open_requests)
