# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from msgspec.structs import replace

from edge.errors import InvalidInput
from loadstats.ledger import Added, Done
from replication.buckets import State
from replication.messages import Push
from replication.paths import VERSION
from replication.pull import NO_SUSPECTS, Pull
from tests.unit.replication.raw_peer import Node


def run(pull: Pull, peer: Node, now: float = 0.0, others: Sequence[str] = ()) -> int:
    """Returns how many answers it took."""
    pull.begin(peer.replica.summary(0.0) if pull.compares else None, 0.0)
    answers = 0
    while (want := pull.want()) is not None:
        left = pull.left
        for _ in pull.take(peer.replica.state(pull.entity.name, want, now), now, 1):
            pass
        assert pull.left < left
        answers += 1
    pull.done(others)
    pull.close()
    return answers


def whole(node: Node, peer: str) -> Pull:
    return Pull(node.replica, node.replica.compared, peer)


def repair(node: Node, peer: str, suspects: Mapping[str, frozenset[int]] = NO_SUSPECTS) -> Pull:
    return Pull(node.replica, node.replica.compared, peer, whole=False, suspects=suspects)


def of_caches(node: Node, peer: str) -> Pull:
    return Pull(node.replica, [node.caches], peer)


def test_a_whole_pull_takes_everything_and_adopts_the_watermarks() -> None:
    a, b = Node("a@1"), Node("b@1")
    for number in range(2000):
        b.add(f"r{number}")
    b.ledger.done("r0", 0.0, 1)
    b.ledger.done("early", 0.0, 1)  # a stub travels too
    assert run(whole(a, "b"), b) > 1
    assert a.live() == b.live()
    assert a.ledger.replica.digests() == b.ledger.replica.digests()
    assert a.replica.vector() == {"a@1": 0, "b@1": b.journal.latest}
    a.ledger.replica.apply([Added("early", "c", "10.0.0.1", 5)], None, 0, 0.0, 1)
    assert "early" not in a.live()


def test_a_whole_pull_that_stops_half_way_adopts_nothing() -> None:
    a, b = Node("a@1"), Node("b@1")
    for number in range(2000):
        b.add(f"r{number}")
    pull = whole(a, "b")
    pull.begin(b.replica.summary(0.0), 0.0)
    want = pull.want()
    assert want is not None
    assert sum(pull.take(b.replica.state("requests", want, 0.0), 0.0, 1)) == pull.changed > 0
    pull.close()
    assert a.replica.vector() == {"a@1": 0}


def test_every_pull_begins_with_what_the_peer_knows_of_gateways() -> None:
    a, b = Node("a@1"), Node("b@1")
    b.ledger.beat("g", 20, 0.0, 1)
    run(repair(a, "b"), b)
    assert a.ledger.replica.owners(0.0) == b.ledger.replica.owners(0.0) == {"g": (1, 21)}


def test_a_repair_looks_only_at_what_differed_twice_running() -> None:
    a, b = Node("a@1"), Node("b@1")
    b.add("r")
    first = repair(a, "b")
    assert run(first, b) == 0
    assert len(first.differing["requests"]) == 1
    assert a.live() == set()
    second = repair(a, "b", suspects=first.differing)
    assert run(second, b) == 1
    assert (second.changed, a.live()) == (1, {"r"})
    assert "b@1" not in a.replica.vector()  # a part is not everything


def test_a_repair_between_equals_asks_for_nothing() -> None:
    a, b = Node("a@1"), Node("b@1")
    pull = repair(a, "b", suspects={"requests": frozenset(range(1024))})
    assert run(pull, b) == 0
    assert not pull.differing["requests"]


def test_what_ended_over_there_ends_here() -> None:
    a, b = Node("a@1"), Node("b@1", tombstone_seconds=1)
    b.add("r")
    run(whole(a, "b"), b)
    b.ledger.done("r", 0.0, 1)
    while b.ledger.expire(10.0, 1):
        pass
    assert b.ledger.find("r") is None
    run(whole(a, "b"), b, now=10.0)
    assert a.live() == set()


def test_what_ended_here_does_not_come_back() -> None:
    a, b = Node("a@1", tombstone_seconds=1), Node("b@1")
    b.add("r")
    a.replica.take(Push(VERSION, "b@1", 1, 1, 0, [*b.journal.read(1, 1)[0], Done("r")]), 0.0, 1)
    while a.ledger.expire(10.0, 1):
        pass
    assert a.ledger.find("r") is None
    run(whole(a, "b"), b)
    assert a.live() == set()


@pytest.mark.parametrize("buckets", [[], [(5, [])], [(3, []), (5, [])]])
def test_an_answer_to_another_question_ends_the_pull(buckets: list[tuple[int, list[object]]]) -> None:
    a, b = Node("a@1"), Node("b@1")
    pull = whole(a, "b")
    pull.begin(b.replica.summary(0.0), 0.0)
    assert list(pull.take(State(VERSION, [(5, [])]), 0.0, 1)) == [0]
    with pytest.raises(InvalidInput, match="buckets wanted"):
        list(pull.take(State(VERSION, buckets), 0.0, 1))
    assert pull.left == 1023


@pytest.mark.parametrize("repaired", [False, True])
def test_a_pull_ends_with_the_life_of_the_peer_that_it_began_with(*, repaired: bool) -> None:
    """The next life lacks what its peers pushed to the one before. It must not be taken for ended."""
    a, b = Node("a@1"), Node("b@1")
    for number in range(2000):
        a.add(f"r{number}")
    b.replica.take(Push(VERSION, "a@1", 1, 1, 0, a.journal.read(1, 1000)[0]), 0.0, 1)
    b.replica.take(Push(VERSION, "a@1", 1001, 1, 0, a.journal.read(1001, 1000)[0]), 0.0, 1)
    everything = {"requests": frozenset(range(1024))}
    for number in range(2000, 5000):
        a.add(f"r{number}")  # b has not heard of these: most buckets differ
    pull = repair(a, "b", everything) if repaired else whole(a, "b")
    pull.begin(b.replica.summary(0.0), 0.0)
    want = pull.want()
    assert want is not None
    list(pull.take(b.replica.state("requests", want, 0.0), 0.0, 1))
    before, vector = a.live(), a.replica.vector()
    assert len(before) == 5000
    reborn = Node("b@2")
    want = pull.want()
    assert want is not None
    with pytest.raises(InvalidInput, match="started anew"):
        list(pull.take(reborn.replica.state("requests", want, 0.0), 0.0, 1))
    pull.close()
    assert (a.live(), a.replica.vector()) == (before, vector)


def test_a_pull_of_caches_ends_with_the_life_that_answered_first() -> None:
    a, b = Node("a@1"), Node("b@1")
    run(whole(a, "b"), b)
    pull = of_caches(a, "b")
    pull.begin(None, 0.0)
    for number in range(3000):
        b.save(tuple(range(number * 10, number * 10 + 10)), ip=f"10.0.{number // 250}.{number % 250}")
    want = pull.want()
    assert want is not None
    list(pull.take(b.replica.state("caches", want, 0.0), 0.0, 1))
    want = pull.want()
    assert want is not None
    with pytest.raises(InvalidInput, match="started anew"):
        list(pull.take(Node("b@2").replica.state("caches", want, 0.0), 0.0, 1))
    pull.close()
    assert "b" in a.pending


def test_a_peer_of_the_first_release_does_not_say_whose_its_answer_is() -> None:
    a, b = Node("a@1"), Node("b@1")
    b.add("r")
    pull = whole(a, "b")
    pull.begin(b.replica.summary(0.0), 0.0)
    while (want := pull.want()) is not None:
        list(pull.take(replace(b.replica.state("requests", want, 0.0), origin=""), 0.0, 1))
    pull.done([])
    assert a.live() == {"r"}


def test_caches_are_pending_from_a_whole_pull_on_until_they_are_in() -> None:
    a, b = Node("a@1"), Node("b@1")
    b.save((1, 2))
    b.replica.joined = True
    run(repair(a, "b"), b)
    assert not a.pending
    run(whole(a, "b"), b)
    assert "b" in a.pending
    run(of_caches(a, "b"), b, others=["b", "c"])
    assert not a.pending
    assert a.index.query("c", (1, 2), 1) == [("10.0.0.1", 2)]


def test_what_a_peer_has_yet_to_pull_is_pulled_from_the_others_too() -> None:
    a, b, c = Node("a@1"), Node("b@1"), Node("c@1")
    c.save((1, 2))
    run(whole(b, "c"), c)  # its caches are still under way
    run(whole(a, "b"), b)
    assert a.replica.vector() == {"a@1": 0, "b@1": 0, "c@1": 1}  # nobody tells a of that save any more
    run(of_caches(a, "b"), b, others=["b", "c"])
    assert "c" in a.pending
    run(of_caches(a, "c"), c, others=["b", "c"])
    assert not a.pending
    assert a.index.query("c", (1, 2), 1) == [("10.0.0.1", 2)]


@pytest.mark.parametrize("why", ["it joins", "it missed events"])
def test_what_a_peer_has_yet_to_hear_is_pulled_from_the_others_too(why: str) -> None:
    a, b = Node("a@1"), Node("b@1")
    b.replica.joined = why != "it joins"
    if why == "it missed events":
        b.replica.take(Push(VERSION, "c@1", 5, 5, 0, []), 0.0, 1)
    run(whole(a, "b"), b)
    run(of_caches(a, "b"), b, others=["b", "c"])
    assert "c" in a.pending


def test_a_pull_of_caches_that_brings_other_buckets_gets_nowhere() -> None:
    a, b = Node("a@1"), Node("b@1")
    run(whole(a, "b"), b)
    pull = of_caches(a, "b")
    pull.begin(None, 0.0)
    with pytest.raises(InvalidInput, match="some of the buckets wanted"):
        list(pull.take(State(VERSION, []), 0.0, 1))
    assert pull.left == 256
    pull.close()
    assert "b" in a.pending
