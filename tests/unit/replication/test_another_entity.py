# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""A third entity, as somebody may add it: what it says of itself is all that pushing and pulling need."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar
from zlib import crc32

from msgspec import Struct, msgpack

from edge.call import Call, Table
from edge.errors import InvalidInput
from replication.admission import Admission
from replication.buckets import Layout, State
from replication.entity import Entity, EventBatch
from replication.handlers import ReplicaHandlers
from replication.messages import Push
from replication.paths import VERSION
from replication.pull import Pull
from replication.replica import Replica
from tests.unit.replication.raw_peer import Node


class Named(Struct, frozen=True, array_like=True, tag=9):
    """A client named something."""

    name: str


class NameCopy(Struct, frozen=True, array_like=True):
    name: str


class Names(Entity):
    """A set of names that only grows. `compared` is set by the tests."""

    name = "names"
    path = "/v1/replica/names"
    unit = "names"
    buckets = 4
    layout = Layout(NameCopy, 4)
    events: ClassVar[frozenset[type]] = frozenset({Named})
    answer_size = 2
    compared = False
    stepwise = True

    def __init__(self, *names: str) -> None:
        self.names = set(names)

    def checked(self, events: list[Any]) -> list[Any]:
        if any(isinstance(event, Named) and not event.name for event in events):
            raise InvalidInput("name: expected one")
        return events

    def apply(self, batch: EventBatch, now: float, wall_ns: int) -> None:
        self.names |= {event.name for event in batch.events if isinstance(event, Named)}

    def copies(self, bucket: int, now: float) -> Sequence[NameCopy]:
        return [NameCopy(name) for name in sorted(self.names) if crc32(name.encode()) % self.buckets == bucket]

    def merge(
        self, state: State, theirs: Mapping[str, int], ours: Mapping[str, int], now: float, wall_ns: int
    ) -> Iterator[int]:
        for _, copies in state.buckets:
            fresh = {copy.name for copy in copies} - self.names
            self.names |= fresh
            yield len(fresh)

    def differing(self, summary: Any) -> set[int]:
        return set(range(self.buckets))


class ComparedNames(Names):
    compared = True


def replica(origin: str, names: Names) -> Replica:
    node = Node(origin)
    return Replica(node.journal, (node.requests, node.caches, names))


def run(pull: Pull, peer: Replica) -> None:
    pull.begin(peer.summary(0.0) if pull.compares else None, 0.0)
    while (want := pull.want()) is not None:
        list(pull.take(peer.state(pull.entity.name, want, 0.0), 0.0, 1))
    pull.done(["b", "c"])
    pull.close()


def test_its_events_are_checked_and_applied() -> None:
    names = Names()
    node = replica("a@1", names)
    push = Push(VERSION, "b@1", 1, 1, 0, [Named("x"), Named("y")])  # type: ignore[list-item]
    assert node.take(push, 0.0, 1).watermark == 2
    assert names.names == {"x", "y"}
    assert node.take(Push(VERSION, "b@1", 3, 1, 0, [Named("z"), Named("")]), 0.0, 1).watermark == 4  # type: ignore[list-item]
    assert names.names == {"x", "y", "z"}
    assert list(node.left_out.latest) == [("b@1", 4, "name: expected one")]


def test_one_that_is_not_compared_is_pulled_after_watermarks_were_adopted() -> None:
    here, there = Names("a"), Names(*"bcdefgh")
    a, b = replica("a@1", here), replica("b@1", there)
    b.joined = True
    run(Pull(a, a.compared, "b"), b)
    assert here.names == {"a"}
    assert "b" in a.pending["names"]
    run(Pull(a, [here], "b"), b)
    assert here.names == set("abcdefgh")
    assert not a.pending["names"]
    assert a.pending["caches"]  # each is pending by itself


def test_one_that_is_compared_is_pulled_before_watermarks_are_adopted_and_repaired() -> None:
    here, there = ComparedNames("a"), ComparedNames(*"bcdefgh")
    a, b = replica("a@1", here), replica("b@1", there)
    pull = Pull(a, a.compared, "b", whole=False, suspects={"names": frozenset(range(4))})
    run(pull, b)
    assert (here.names, pull.changed) == (set("abcdefgh"), 7)
    assert "b@1" not in a.vector()
    there.names.add("i")
    run(Pull(a, a.compared, "b"), b)
    assert "i" in here.names
    assert "b@1" in a.vector()
    assert list(a.pending) == ["caches"]


def test_it_is_served_at_its_path() -> None:
    node = replica("a@1", Names("x"))
    table = Table(ReplicaHandlers(node, Admission(""), lambda: [], {}).routes())
    route = table.find(b"POST", b"/v1/replica/names")
    assert route is not None
    body = route.handler(Call(b"", msgpack.encode([1, [0, 1, 2, 3]]), {}, client="127.0.0.1"))
    buckets = dict(msgpack.decode(zlib.decompress(body))[1])
    assert buckets[crc32(b"x") % 4] == [["x"]]
