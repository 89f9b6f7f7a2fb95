# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""How much of a prompt every engine holds, against the query for the longest."""

from __future__ import annotations

from random import Random

import pytest

from kvcache.index import CacheIndex
from kvcache.index.drops import MOST_FLOORS

C = "cluster"
PROMPT = tuple(range(1, 101))


def ips(number: int) -> list[str]:
    return [f"10.0.{n // 250}.{n % 250}" for n in range(number)]


def test_nothing_is_told_where_nobody_holds_the_first_block() -> None:
    index = CacheIndex()
    assert index.lengths(C, PROMPT) is None
    index.save(C, "10.0.0.1", PROMPT[1:], 0.0, 1)
    assert index.lengths(C, PROMPT) is None
    assert index.lengths(C, ()) is None


@pytest.mark.parametrize(
    ("number", "stemmed", "usual", "others"),
    [(100, 0, 0, 5), (100, 40, 0, 40), (100, 90, 10, 15), (100, 100, 10, 5), (7, 2, 100, 2)],
)
def test_what_most_hold_is_told_once(number: int, stemmed: int, usual: int, others: int) -> None:
    """Five hold the whole prompt, some its beginning, the others another one."""
    index = CacheIndex()
    for place, ip in enumerate(ips(number)):
        index.save(C, ip, PROMPT if place < 5 else PROMPT[:10] if place < stemmed or number == 7 else (7000,), 0.0, 1)
    lengths = index.lengths(C, PROMPT)
    assert lengths is not None
    assert (lengths.longest, lengths.usual) == (100, usual)
    assert len(lengths.others) == others
    found = dict(index.query(C, PROMPT, number))
    assert {ip: lengths.at(ip) for ip in ips(number)} == {ip: found.get(ip, 0) for ip in ips(number)}
    assert lengths.at("10.9.9.9") == 0


def test_it_agrees_with_the_query_whatever_is_saved_and_dropped() -> None:
    random, index = Random(1), CacheIndex()
    for turn in range(400):
        ip = random.choice(ips(12))
        if random.random() < 0.1:
            index.drop(C, ip, turn, 0.0)
            index.expire(0.0)
        else:
            index.save(C, ip, [*PROMPT[: random.choice((4, 4, 4, 9, 70))], 5000 + turn % 3], 0.0, turn)
        lengths, found = index.lengths(C, PROMPT), dict(index.query(C, PROMPT, 100))
        told = {} if lengths is None else {each: lengths.at(each) for each in ips(12)}
        assert {each: length for each, length in told.items() if length} == found


def test_the_roster_is_another_when_engines_come_and_go_and_else_the_same() -> None:
    index = CacheIndex()

    def roster() -> object:
        lengths = index.lengths(C, PROMPT)
        assert lengths is not None
        return lengths.roster

    index.save(C, "10.0.0.1", PROMPT, 0.0, 1)
    first = roster()
    index.save(C, "10.0.0.1", (9000,), 0.0, 2)
    assert roster() is first
    index.save(C, "10.0.0.2", (9000,), 0.0, 2)
    second = roster()
    assert second is not first
    index.drop(C, "10.0.0.2", 3, 0.0)
    assert roster() is not second


def test_it_counts_as_a_query() -> None:
    index = CacheIndex()
    index.save(C, "10.0.0.1", PROMPT[:60], 0.0, 1)
    index.lengths(C, PROMPT)
    index.lengths("other", PROMPT)
    counts = index.counts()
    assert (counts.queries, counts.asked_blocks, counts.hit_blocks) == (2, 200, 60)


def test_an_engine_without_an_entry_of_its_own_uses_its_addresss() -> None:
    index = CacheIndex()
    index.save(C, "10.0.0.1", PROMPT[:9], 0.0, 1)
    index.save(C, "10.0.0.1:80", PROMPT[:4], 0.0, 2)
    index.save(C, "10.0.0.1:81", (7000,), 0.0, 3)

    def lengths() -> list[int]:
        found = index.lengths(C, PROMPT)
        assert found is not None
        return [found.at(f"10.0.0.1{rest}", "10.0.0.1") for rest in ("", ":80", ":81", ":82", "/3")]

    assert lengths() == [9, 4, 0, 9, 9]
    index.drop(C, "10.0.0.1:80", 4, 0.0)
    index.expire(0.0)
    assert lengths() == [9, 0, 0, 9, 9]  # not its neighbours' blocks from before it was dropped
    index.save(C, "10.0.0.1", PROMPT[:3], 0.0, 5)
    assert lengths() == [9, 3, 0, 9, 9]


@pytest.mark.parametrize("engines", [1, 100])
def test_floors_are_forgotten_with_their_drops_and_bounded(engines: int) -> None:
    index = CacheIndex(ttl_seconds=100)
    for number in range(engines):
        index.save(C, f"10.0.1.{number}", PROMPT, 0.0, 1)
    index.save(C, "10.0.0.1", PROMPT, 0.0, 1)
    for port in range(1, MOST_FLOORS + 3):
        index.drop(C, f"10.0.0.1:{port}", 2, 50.0)
    found = index.lengths(C, PROMPT)
    assert found is not None
    used = [found.at(f"10.0.0.1:{port}", "10.0.0.1") for port in range(1, MOST_FLOORS + 3)]
    assert used == [len(PROMPT)] * 2 + [0] * MOST_FLOORS
    index.save(C, "10.0.0.1", PROMPT, 99.0, 3)
    while index.expire(151.0):
        pass
    again = index.lengths(C, PROMPT)
    assert again is not None
    assert again.roster is not found.roster
    assert again.at(f"10.0.0.1:{MOST_FLOORS}", "10.0.0.1") == len(PROMPT)
