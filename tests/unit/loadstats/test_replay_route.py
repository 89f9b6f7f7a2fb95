# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Which node is called: the hash, the names of clusters, the breaker."""

from __future__ import annotations

import pytest

from loadstats.replay.cluster import clusters_of
from loadstats.replay.route import BREAKER_FAILURES, BREAKER_SECONDS, Breaker, cluster_names, fnv32a, node_of


@pytest.mark.parametrize(
    # The test vectors of the hash's authors, and of Go's hash/fnv.
    ("text", "value"),
    [("", 0x811C9DC5), ("a", 0xE40C292C), ("ab", 0x4D2505CA), ("abc", 0x1A47E90B), ("foobar", 0xBF9CF968)],
)
def test_the_hash_is_fnv_1a_of_32_bits(text: str, value: int) -> None:
    assert fnv32a(text) == value


def test_all_deletes_have_one_node() -> None:
    assert [node_of("", nodes) for nodes in (1, 2, 3, 4)] == [0, 1, 1, 1]


def test_names_are_dealt_to_all_nodes_alike() -> None:
    names = cluster_names("run", 6, 3)
    assert len(set(names)) == 6
    assert [node_of(name, 3) for name in names] == [0, 1, 2, 0, 1, 2]
    assert all(name.startswith("run-") for name in names)


def test_a_single_name_is_taken_as_it_is() -> None:
    assert cluster_names("run", 1, 3) == ["run"]


def test_an_engine_is_of_one_cluster_only() -> None:
    clusters = clusters_of(["x", "y", "z"], 10)
    assert [len(each.engines) for each in clusters] == [4, 3, 3]
    assert len({engine for each in clusters for engine in each.engines}) == 10


class Clock:
    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def open_breaker(clock: Clock) -> Breaker:
    breaker = Breaker(clock)
    for _ in range(BREAKER_FAILURES):
        assert not breaker.is_open
        breaker.failed()
    return breaker


def test_ten_failures_open_the_breaker_for_five_seconds(open_breaker: Breaker, clock: Clock) -> None:
    assert open_breaker.is_open
    clock.seconds += BREAKER_SECONDS - 0.01
    assert open_breaker.is_open
    clock.seconds += 0.01
    assert not open_breaker.is_open
    assert open_breaker.openings == 1


def test_after_its_time_one_failure_opens_it_anew(open_breaker: Breaker, clock: Clock) -> None:
    clock.seconds += BREAKER_SECONDS
    open_breaker.failed()
    assert open_breaker.is_open
    assert open_breaker.openings == 2


def test_after_its_time_a_success_closes_it(open_breaker: Breaker, clock: Clock) -> None:
    clock.seconds += BREAKER_SECONDS
    open_breaker.succeeded()
    open_breaker.failed()
    assert not open_breaker.is_open


def test_failures_of_calls_still_in_flight_do_not_keep_it_open(open_breaker: Breaker, clock: Clock) -> None:
    clock.seconds += BREAKER_SECONDS - 1
    open_breaker.failed()
    clock.seconds += 1
    assert not open_breaker.is_open
    assert open_breaker.openings == 1


def test_a_success_between_failures_keeps_it_closed(clock: Clock) -> None:
    breaker = Breaker(clock)
    for _ in range(3):
        for _ in range(BREAKER_FAILURES - 1):
            breaker.failed()
        breaker.succeeded()
    assert not breaker.is_open
