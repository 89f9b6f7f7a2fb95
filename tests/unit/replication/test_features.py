# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Nodes of different releases: what a peer does not know is said to it in older words, or not at all."""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import Any, ClassVar

from msgspec import Struct, msgpack

from loadstats.ledger import Done
from replication.buckets import Layout, Want
from replication.entities import Event, Summary
from replication.features import FEATURES, NAMES, NO_FEATURES, NOTHING
from replication.messages import Ack, Push
from replication.paths import VERSION
from replication.replica import Replica
from replication.sender import Sender
from tests.unit.replication.raw_peer import Node
from tests.unit.replication.test_another_entity import NameCopy, Names

LATEST = "causes"
"""Stands for the feature that the test's entity needs."""


class Renamed(Struct, frozen=True, array_like=True, tag=99):
    """An event that is new in this release."""

    name: str


class NewNames(Names):
    """Names of which those with a dash are new in this release, as is renaming."""

    events: ClassVar[frozenset[type]] = Names.events | {Renamed}
    layout = Layout(NameCopy, 4)

    def for_peer(self, event: Any, features: Set[str]) -> Any:
        return NOTHING if isinstance(event, Renamed) and LATEST not in features else event

    def copies_for_peer(self, copies: Sequence[Any], features: Set[str]) -> Sequence[Any]:
        return copies if LATEST in features else [copy for copy in copies if "-" not in copy.name]


def replica() -> tuple[Node, Replica]:
    node = Node("a@1")
    return node, Replica(node.journal, (node.requests, node.caches, NewNames("a", "b-c", "d")))


def sent(features: Set[str]) -> list[Event]:
    """Return what a peer with these features is pushed of three events, one of which is new."""
    node, ours = replica()
    for event in (Done("r"), Renamed("x"), Done("s")):
        node.journal.append(event, 0.0)  # type: ignore[arg-type]
    sender = Sender(node.journal, lambda: 1.0, ours.for_peer)
    assert sender.poll(0.0) is not None
    sender.took(Ack(VERSION, "b@1", 0, True, list(features)), 0.0)
    push = sender.poll(1.0)
    assert push is not None
    assert push.first == 1
    return push.events


def test_a_peer_is_sent_what_it_knows_and_nothing_else() -> None:
    assert sent(FEATURES) == [Done("r"), Renamed("x"), Done("s")]
    assert sent(NO_FEATURES) == [Done("r"), NOTHING, Done("s")]
    assert sent({"of a later release", *FEATURES}) == [Done("r"), Renamed("x"), Done("s")]


def test_an_ack_without_features_is_of_an_older_node() -> None:
    node, ours = replica()
    sender = Sender(node.journal, lambda: 1.0, ours.for_peer)
    assert sender.features == NO_FEATURES
    for at, features in ((0.0, FEATURES), (10.0, NO_FEATURES)):  # replaced by a node of the release before
        assert sender.poll(at) is not None
        sender.took(Ack(VERSION, "b@1", 0, True, list(features)), at)
        assert sender.features == features


def test_what_stands_in_changes_nothing_anywhere() -> None:
    node = Node("a@1")
    node.add("-")
    before = node.replica.summary(0.0).digests
    assert node.replica.take(Push(VERSION, "b@1", 1, 1, 0, [NOTHING, NOTHING]), 0.0, 1).watermark == 2
    assert node.replica.summary(0.0).digests == before
    assert node.ledger.counts().stubs == 0


def test_a_peer_that_pulls_says_what_it_knows_and_gets_no_more() -> None:
    _, ours = replica()

    def names(features: list[str]) -> set[str]:
        state = ours.state("names", Want(VERSION, [0, 1, 2, 3], features), 0.0)
        while len(state.buckets) < 4:
            rest = ours.state("names", Want(VERSION, list(range(len(state.buckets), 4)), features), 0.0)
            state = type(state)(VERSION, [*state.buckets, *rest.buckets])
        return {copy.name for _, copies in state.buckets for copy in copies}

    assert names(NAMES) == {"a", "b-c", "d"}
    assert names([]) == {"a", "d"}


def test_every_message_that_is_answered_says_what_this_node_knows() -> None:
    node = Node("a@1")
    assert node.replica.take(Push(VERSION, "b@1", 1, 1, 0, []), 0.0, 1).features == NAMES
    assert node.replica.summary(0.0).features == NAMES


def test_messages_of_nodes_without_features_are_read() -> None:
    assert msgpack.decode(msgpack.encode([1, "b@1", 3, True]), type=Ack).features == []
    summary = msgpack.decode(msgpack.encode([1, "b@1", True, {}, [0] * 1024, {}]), type=Summary)
    assert summary.features == []
    assert Node("a@1").requests.layout.read_want(msgpack.encode([1, [3]])).features == []


def test_a_later_release_may_send_features_and_members_of_its_own() -> None:
    ack = msgpack.decode(msgpack.encode([1, "b@1", 3, True, ["causes", "of a later release"], "and more"]), type=Ack)
    assert ack.features == ["causes", "of a later release"]
