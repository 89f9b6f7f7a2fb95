# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What engines hold in their caches, told to peers and pulled from them."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import msgspec
import pytest

from kvcache.index import CacheCopy
from loadstats.ledger import Added
from replication.buckets import State, Want
from replication.entities import Entities, Event
from replication.entities.caches import CacheLost, ReplicatedCaches, Saved
from replication.entity import EventBatch
from replication.features import FEATURES, NOTHING
from replication.messages import Push
from replication.paths import VERSION
from replication.replica import Replica
from tests.unit.replication.raw_peer import Node

BIG = 2**64 - 1


def told(node: Node) -> list[Event]:
    """What a node's journal holds, as it comes out of the other end of a wire."""
    events, _ = node.journal.read(1, 100)
    return recoded(Push(VERSION, node.journal.origin.name, 1, 1, 0, events)).events


def recoded(message: Any) -> Any:
    return msgspec.msgpack.decode(msgspec.msgpack.encode(message), type=type(message))


def recoded_state(state: State) -> State:
    layout = ReplicatedCaches.layout
    return layout.read_state(layout.write_state(state))


def copies_in(state: State) -> list[CacheCopy]:
    return [copy for _, copies in state.buckets for copy in copies]


def push(*events: Event, first: int = 1, age_ms: int = 0) -> Push:
    return Push(VERSION, "a@1", first, 1, age_ms, list(events))


def held(node: Node, *hashes: int) -> list[tuple[str, int]]:
    return node.index.query("c", hashes, 10)


def pull_all(node: Node, peer: Node) -> None:
    state = recoded_state(peer.replica.state("caches", Want(VERSION, list(range(256))), 0.0))
    list(node.caches.merge(state, {}, {}, 0.0, 1))


def test_a_save_and_a_loss_reach_a_peer_among_other_events() -> None:
    a, b = Node("a@1"), Node("b@1")
    a.save((1, BIG))
    a.add("r")
    a.save((1,), ip="10.0.0.2")
    assert b.replica.take(push(*told(a)), 0.0, 1).watermark == 3
    assert held(b, 1, BIG) == [("10.0.0.1", 2), ("10.0.0.2", 1)]
    assert b.live() == {"r"}
    a.lose("10.0.0.1")
    b.replica.take(push(*told(a)), 0.0, 1)
    assert held(b, 1, BIG) == [("10.0.0.2", 1)]
    a.lose(None)
    b.replica.take(push(*told(a)), 0.0, 1)
    assert held(b, 1, BIG) == []
    assert b.journal.latest == 0  # what peers tell is not told on


def test_saves_and_losses_may_be_taken_in_any_order() -> None:
    a = Node("a@1")
    a.save((1, 2))
    a.lose("10.0.0.1")
    a.save((1,))
    for events in permutations(told(a)):
        b = Node("b@1")
        b.caches.apply(EventBatch(events, "a@1", 1, 0.0), 0.0, 1)
        b.caches.apply(EventBatch(events, "a@1", 1, 0.0), 0.0, 1)
        while b.index.expire(0.0):
            pass
        assert held(b, 1, 2) == [("10.0.0.1", 1)]


def test_own_stamps_are_later_than_those_seen() -> None:
    a, b = Node("a@1"), Node("b@1")
    b.caches.apply(EventBatch([Saved("c", "10.0.0.1", 5000, (1,))], "a@1", 1, 0.0), 0.0, 1)
    assert b.stamps.next() > 5000
    a.caches.apply(EventBatch([CacheLost("c", "10.0.0.1", 7000)], "b@1", 1, 0.0), 0.0, 1)
    assert a.stamps.next() > 7000


def test_what_is_older_than_caches_get_is_not_taken() -> None:
    b = Node("b@1")
    b.replica.take(push(Saved("c", "10.0.0.1", 1, (1,)), age_ms=3_600_000), 10_000.0, 1)
    assert held(b, 1) == []


def test_each_save_of_a_push_is_as_old_as_it_is() -> None:
    b = Node("b@1")
    first, last = Saved("c", "10.0.0.1", 1, (1,)), Saved("c", "10.0.0.1", 2, (2,))
    b.replica.take(Push(VERSION, "a@1", 1, 1, 3_600_000, [first, last], [0, 3_590]), 10_000.0, 1)
    assert (held(b, 1), held(b, 2)) == ([], [("10.0.0.1", 1)])


@pytest.mark.parametrize("event", [Saved("c", "nowhere", 1, (1,)), CacheLost("c", "nowhere", 1)])
def test_an_event_of_a_wrong_address_is_left_out(event: Event) -> None:
    b = Node("b@1")
    assert b.replica.take(push(Added("r", "c", "10.0.0.1", 5), event), 0.0, 1).watermark == 2
    assert b.live() == {"r"}
    assert "expected an IPv4 or IPv6 address" in b.replica.left_out.latest[0].reason


def test_stamps_of_peers_never_make_one_of_ours_that_a_peer_refuses() -> None:
    a, b = Node("a@1"), Node("b@1")
    for seq, stamp in enumerate((1, 2**62 - 2**60, 2**62 - 1, 2**62), 1):
        a.replica.take(Push(VERSION, "c@1", seq, 1, 0, [Saved("c", "10.0.0.1", stamp, (seq,))]), 0.0, 1)
        a.save((seq,), ip="10.0.0.2")
        assert a.journal.read(seq, 1)[0][0].stamp <= 2**62  # type: ignore[union-attr]
    events, _ = a.journal.read(1, 99)
    assert b.replica.take(push(*events), 0.0, 1).watermark == 4
    assert b.replica.left_out.events == 0
    pull_all(b, a)
    assert [held(b, seq) for seq in range(1, 5)] == [[("10.0.0.1", 1), ("10.0.0.2", 1)]] * 4


def test_a_copy_of_an_impossible_stamp_is_passed_over() -> None:
    a, b = Node("a@1"), Node("b@1")
    a.index.save("c", "10.0.0.1", (1,), 0.0, 2**64 - 1)  # as a node of an earlier release takes it
    a.index.drop("c", "10.0.0.9", 2**64 - 1, 0.0)
    a.save((2,), ip="10.0.0.2")
    pull_all(b, a)
    assert (held(b, 1), held(b, 2)) == ([], [("10.0.0.2", 1)])
    assert b.index.drops(0.0) == []


def test_a_node_pulls_what_another_holds_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ReplicatedCaches, "answer_size", 1)
    a, b = Node("a@1"), Node("b@1")
    for number in range(1, 20):
        a.save((number, number + 100), ip=f"10.0.0.{number}")
    a.lose("10.0.0.7")
    b.index.save("c", "10.0.0.7", (7,), 0.0, 3)  # before it was lost: b has not heard of that
    wanted, parts = list(range(256)), 0
    while wanted:
        state = recoded_state(a.replica.state("caches", Want(VERSION, wanted), 0.0))
        assert sum(bool(copies) for _, copies in state.buckets) <= 1
        assert sum(b.caches.merge(state, {}, {}, 0.0, 1)) == sum(len(copy.hashes) for copy in copies_in(state))
        came = {bucket for bucket, _ in state.buckets}
        wanted = [bucket for bucket in wanted if bucket not in came]
        parts += 1
    while a.index.expire(0.0) or b.index.expire(0.0):
        pass
    assert parts > 10
    assert held(b, 5, 105) == [("10.0.0.5", 2)]
    assert held(b, 7) == []
    assert a.index.digests() == b.index.digests()


def test_without_an_index_nothing_is_kept_and_all_is_answered() -> None:
    a, b = Node("a@1"), Node("b@1")
    caches = ReplicatedCaches(None, lambda event, now, size: None, lambda stamp: None, lambda ip: None)
    replica = Replica(a.journal, Entities(a.requests, caches))
    replica.joined = True
    replica.take(Push(VERSION, "b@1", 1, 1, 0, [Saved("c", "10.0.0.1", 1, (1,))]), 0.0, 1)
    state = replica.state("caches", Want(VERSION, [3, 4]), 0.0)
    assert state == State(VERSION, [(3, []), (4, [])], [], whole=False, origin="a@1")  # to be looked for elsewhere
    assert list(caches.merge(state, {}, {}, 0.0, 1)) == []
    replica.adopt(b.replica.summary(0.0), "b")
    assert not replica.pending["caches"]  # nor pulled


def test_a_peer_of_the_last_release_is_sent_what_was_saved_by_address_and_nothing_else() -> None:
    node = Node("a@1")
    node.save((1,))
    for name in ("10.0.0.1:80", "10.0.0.1/3", "[fd00::7]:80"):
        node.save((1, 2), ip=name)
        node.lose(name)
        node.save((1, 2), ip=name)
    node.save((1,), ip="fd00::7")
    node.lose("10.0.0.2")
    node.lose(None)
    node.save((5,))
    events = told(node)
    by_address = [event for event in events if event.engine in (None, "10.0.0.1", "10.0.0.2", "fd00::7")]  # type: ignore[union-attr]
    sent = [node.caches.for_peer(event, frozenset()) for event in events]
    assert [event for event in sent if event != NOTHING] == by_address
    assert len(by_address) == 5
    assert [node.caches.for_peer(event, FEATURES) for event in events] == events
    before = node.caches.copies_for_peer(node.caches.before(0.0), frozenset())
    assert {lost.engine for lost in before} == {None, "10.0.0.2"}
    node.save((6,), ip="10.0.0.1:80")
    copies = [copy for bucket in range(256) for copy in node.caches.copies(bucket, 0.0)]
    assert {copy.engine for copy in copies} == {"10.0.0.1", "10.0.0.1:80"}
    assert {copy.engine for copy in node.caches.copies_for_peer(copies, frozenset())} == {"10.0.0.1"}
    assert node.caches.copies_for_peer(copies, FEATURES) == copies


def test_engines_of_one_address_do_not_share_or_wipe_each_other_among_peers() -> None:
    a, b = Node("a@1"), Node("b@1")
    for name in ("10.0.0.1", "10.0.0.1:80", "10.0.0.1:81"):
        a.save((1,), ip=name)
    a.lose("10.0.0.1:80")
    b.replica.take(push(*told(a)), 0.0, 1)
    assert held(a, 1) == held(b, 1) == [("10.0.0.1", 1), ("10.0.0.1:81", 1)]
