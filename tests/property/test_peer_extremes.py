# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Nothing that a node accepts from a peer makes a message of its own that another node refuses.

A peer sends every field of every message at its extremes, alone and in pairs, pushed and pulled. Afterwards the node
takes calls of its own and time passes. Then a node of this release joins from it over bytes and must be equal, and what
the node writes must be within what the first release reads.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from itertools import count
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import DecodeError, ValidationError, msgpack

from edge.call import Call, Table
from edge.errors import InvalidInput
from loadstats.ledger.owners import SOON_SECONDS
from replication.admission import Admission
from replication.buckets import State
from replication.entities import Summary
from replication.handlers import ReplicaHandlers
from replication.messages import Ack
from replication.pull import Pull
from replication.push_reader import UNREADABLE
from replication.sender import Sender
from tests import first_release
from tests.property import EXAMPLES
from tests.unit.replication.raw_peer import Node

START = 1_000.0
NOW_MS = 1_700_000_000_000

NUMBERS = [-1, 0, 1, 2, 86_400, 86_401, 2**31 - 1, 2**31, 2**32, 2**42, 2**53 - 1, 2**53, 2**53 + 1]
NUMBERS += [2**62 - 2**60, 2**62 - 1, 2**62, 2**62 + 1, 2**63 - 1, 2**63, 2**64 - 2, 2**64 - 1]
TEXTS = ["", "x", "x" * 64, "x" * 65, "x" * 128, "x" * 129, "x" * 256, "x" * 257, "\U0001f600" * 256, "a\0b", "::1"]
OTHERS: list[Any] = [None, [], True, 1.5, {}]

EVENTS: dict[str, list[Any]] = {
    "added": [0, "r", "c", "10.0.0.1", 7, "gw"],
    "first token": [1, "r"],
    "done": [2, "s"],
    "tokens": [3, "r", 5, 6],
    "refreshed": [4, "r", NOW_MS],
    "beat": [5, "gw", 20, NOW_MS],
    "dropped": [6, "c", "10.0.0.9"],
    "saved": [7, "c", "10.0.0.1", 50, [1, 2]],
    "cache lost": [8, "c", "10.0.0.1", 40],
    "incarnation's add": [20, "one", NOW_MS, [0, "r", "c", "10.0.0.1", 7, "gw"]],
    "incarnation's beat": [20, "one", NOW_MS, [5, "gw", 20, NOW_MS]],
}
COPY = ["q", 0, 600, "c", "10.0.0.2", 7, "e@0", 3, "gw", 5, 6, NOW_MS, 9, 0, 1, "one", NOW_MS]
SEEN = {"gw": [600, {"one": NOW_MS, "two": NOW_MS + 1}]}
BUCKET = zlib.crc32(b"q") % 1024
CACHE_BUCKET = zlib.crc32(b"c\x0010.0.0.2") % 256
MESSAGES: dict[str, list[Any]] = {
    **{
        f"push {name}": [1, "e@1", 1, 1, 5, [event, [0, "t", "c", "10.0.0.4", 7]], [0, 1]]
        for name, event in EVENTS.items()
    },
    "summary": [1, "e@1", True, {"e@1": 3, "f@1": 5}, [1] * 1024, {"gw": [NOW_MS, 20]}, ["causes"], SEEN],
    "state requests": [1, [[BUCKET, [COPY]]]],
    "state caches": [1, True, [["c", "10.0.0.3", 30, 7]], [[CACHE_BUCKET, [["c", "10.0.0.2", 50, 7, [1, 2]]]]]],
    "ack": [1, "e@1", 2, True, ["causes"]],
}
Path = tuple[Any, ...]


def paths(value: Any, at: Path = ()) -> Iterator[Path]:
    """Yield where a message has a number or a text; of digests the first alone. `("f@1", "key")` is a map's key."""
    if isinstance(value, dict):
        for key, each in value.items():
            yield (*at, key, "key")
            yield from paths(each, (*at, key))
    elif isinstance(value, list):
        for index, each in enumerate(value[:1] if len(value) == 1024 else value):
            yield from paths(each, (*at, index))
    else:
        yield at


def put(message: Any, path: Path, value: Any) -> None:
    """Put a value there."""
    *above, last = path
    try:
        if last == "key":
            *above, old = above
            for step in above:
                message = message[step]
            message[value] = message.pop(old)
        else:
            for step in above:
                message = message[step]
            message[last] = value
    except (KeyError, IndexError, TypeError):
        return  # of no kind that a map's key can be, or moved by the other of a pair


def extremes(message: Any, path: Path) -> list[Any]:
    for step in path:
        if step != "key":
            message = message[step]
    text = path[-1] == "key" or isinstance(message, str)
    return [*(TEXTS if text else NUMBERS), *(NUMBERS[-1:] if text else TEXTS[:2]), *OTHERS]


class Cluster:
    """A node, what its peers send it, and the nodes that join it."""

    def __init__(self) -> None:
        self.node = Node("a@1", capacity=10_000)
        self.now = START
        self.lives = count(1)
        handlers = ReplicaHandlers(
            self.node.replica, Admission(""), lambda: [], {}, now=lambda: self.now, wall_ns=lambda: NOW_MS * 1_000_000
        )
        self.table = Table(handlers.routes())
        self.sender = Sender(self.node.journal, lambda: 1.0, self.node.replica.for_peer)
        self.node.replica.joined = True

    def ask(self, path: str, body: bytes = b"", method: str = "POST") -> bytes:
        route = self.table.find(method.encode(), path.encode())
        assert route is not None
        return route.handler(Call(b"", body, {}, client="127.0.0.1"))

    # What a peer does to it

    def take(self, kind: str, message: Any) -> None:
        """Let a peer send, or be asked for, a message. What is refused must change nothing that matters."""
        body = msgpack.encode(message)
        what, _, name = kind.partition(" ")
        try:
            if what == "push":
                first_release.read_ack(self.ask("/v1/replica/push", body))
            elif what == "ack":
                self.act()
                if self.sender.poll(self.now) is not None:
                    self.sender.failed("lost", self.now)
                self.now += 2
                assert self.sender.poll(self.now) is not None
                self.sender.took(msgpack.decode(body, type=Ack), self.now)
            elif what == "summary":
                self.pull(msgpack.decode(body, type=Summary), {})
            else:
                entity = self.node.replica.entity(name)
                state = entity.layout.read_state(body)
                if name == "requests":
                    self.pull(None, {name: state})
                else:
                    for _ in self.node.replica.merge(entity, state, {}, self.now, 1):
                        pass
        except (*UNREADABLE, InvalidInput, DecodeError, ValidationError):
            if what == "ack":
                self.sender.failed("garbage", self.now)

    def pull(self, summary: Summary | None, states: Mapping[str, State]) -> None:
        """Pull everything from a peer that answers so, else with empty buckets."""
        replica = self.node.replica
        life = f"e@{next(self.lives)}"
        known = summary or Summary(1, life, True, {life: 1}, [0] * 1024)
        pull = Pull(replica, replica.compared, "e")
        pull.begin(known, self.now)
        while (want := pull.want()) is not None:
            found = {bucket: copies for state in states.values() for bucket, copies in state.buckets}
            for _ in pull.take(State(1, [(bucket, found.get(bucket, [])) for bucket in want.buckets]), self.now, 1):
                pass
        pull.done([])
        pull.close()

    # What its own clients do

    def act(self) -> None:
        """Let every kind of call come."""
        node, ledger, now, wall_ns = self.node, self.node.ledger, self.now, NOW_MS * 1_000_000
        life = next(self.lives)
        ledger.add(f"own-{life}", "c", "10.0.0.1", 5, now, wall_ns, "gw")
        ledger.beat("gw", 20, now, wall_ns)
        ledger.add(f"anew-{life}", "c", "10.0.0.1", 5, now, wall_ns, "gw", incarnation="one" if life % 2 else "two")
        ledger.beat("gw", 20, now, wall_ns, "one")
        for request_id in ("q", "r", f"own-{life}"):
            ledger.tokens(request_id, 1, 2, now, wall_ns)
            ledger.refresh(request_id, now, wall_ns)
        ledger.first_token("r", now, wall_ns)
        node.save((life, 1), now=now)
        node.lose("10.0.0.1", now=now)
        node.save((life, 2), now=now)
        ledger.done("q", now, wall_ns) if life % 2 else None

    # What must hold

    def check(self) -> None:
        """Raise AssertionError, or whatever reading raises, if a message of the node is not as it must be."""
        self.act()
        self.now += 3
        self._check_pushes()
        joined = self._join()
        for node, now in ((self.node, self.now), (joined, self.now + 500)):
            while node.ledger.expire(now, 1):
                pass
            while node.index.expire(now):
                pass
        assert joined.ledger.replica.digests() == self.node.ledger.replica.digests()
        assert joined.live() == self.node.live()
        ours, theirs = (
            each.ledger.replica.incarnations(now) for each, now in ((self.node, self.now), (joined, self.now + 500))
        )
        soon_forgotten = {owner for owner, (remaining_seconds, _) in ours.items() if remaining_seconds <= SOON_SECONDS}
        assert ours.keys() - soon_forgotten <= theirs.keys() <= ours.keys()
        assert all(names == ours[owner][1] for owner, (_, names) in theirs.items())
        assert joined.ledger.replica.owners(self.now + 500) == self.node.ledger.replica.owners(self.now)
        assert _held(joined, self.now + 500) == _held(self.node, self.now)
        assert msgspec.json.decode(self.ask("/v1/replica/peers", method="GET"))["origin"] == "a@1"

    def _check_pushes(self) -> None:
        """What it pushes is read by both releases, and nothing of it is left out."""
        node, peer = self.node, Node("b@1")
        events, _ = node.journal.read(node.journal.oldest, 1024)
        for features in (frozenset[str](), frozenset(["causes"])):
            said = node.replica.for_peer(events, features)
            first_release.read_push(msgpack.encode([1, "a@1", node.journal.oldest, 1, 0, said, []]))
        assert self.sender.sent_events <= node.journal.latest
        body = msgpack.encode([1, "a@1", 1, 1, 0, events, []])
        taker = Table(ReplicaHandlers(peer.replica, Admission(""), lambda: [], {}).routes()).find(
            b"POST", b"/v1/replica/push"
        )
        assert taker is not None
        ack = msgpack.decode(taker.handler(Call(b"", body, {}, client="127.0.0.1")), type=Ack)
        assert ack.watermark == len(events)
        assert peer.replica.left_out.events == 0
        first_release.read_ack(self.ask("/v1/replica/push", msgpack.encode([1, "sane@1", 1, 1, 0, [], []])))

    def _join(self) -> Node:
        """A fresh node pulls everything from it, over bytes that both releases read."""
        joined = Node("j@1")
        summary = self.ask("/v1/replica/summary")
        first_release.read_summary(summary)
        for entities in (joined.replica.compared, joined.replica.pulled_later):
            pull = Pull(joined.replica, entities, "a")
            pull.begin(msgpack.decode(summary, type=Summary) if pull.compares else None, self.now + 500)
            while (want := pull.want()) is not None:
                entity = pull.entity
                body = zlib.decompress(self.ask(entity.path, msgpack.encode(want)))
                first_release.read_states[entity.name](body)
                for _ in pull.take(entity.layout.read_state(body), self.now + 500, NOW_MS * 1_000_000):
                    pass
            pull.done([])
            pull.close()
        return joined


def _held(node: Node, now: float) -> dict[tuple[str, str], set[int]]:
    held: dict[tuple[str, str], set[int]] = {}
    for bucket in range(256):
        for copy in node.index.copies(bucket, now):
            held.setdefault((copy.cluster, copy.engine), set()).update(copy.hashes)
    return held


def fresh(kind: str, cluster: Cluster) -> Any:
    """A message of this kind: each push of a new life, each add and copy of a new request, so that it is news."""
    message = deepcopy(MESSAGES[kind])
    life = next(cluster.lives)
    if kind.startswith("push"):
        message[1] = f"e@{life}"
        message[5][1][1] = f"t{life}"
        if kind == "push added":
            message[5][0][1] = f"r{life}"
    elif kind == "state requests":
        name = f"q{life}"
        message[1][0] = [zlib.crc32(name.encode()) % 1024, [[name, *COPY[1:]]]]
    return message


def with_requests() -> Cluster:
    """A cluster in which all messages' requests and gateways are known."""
    cluster = Cluster()
    for kind in MESSAGES:
        if kind.startswith("push"):
            cluster.take(kind, fresh(kind, cluster))
    cluster.act()
    return cluster


@pytest.mark.parametrize("known", [False, True], ids=["nothing known", "all known"])
@pytest.mark.parametrize("kind", MESSAGES)
def test_each_field_at_each_extreme(kind: str, *, known: bool) -> None:
    make: Callable[[], Cluster] = with_requests if known else Cluster
    for path in paths(MESSAGES[kind]):
        cluster = make()
        for value in extremes(MESSAGES[kind], path):
            message = fresh(kind, cluster)
            put(message, path, value)
            cluster.take(kind, message)
            cluster.now += 1
        cluster.check()


def test_a_vector_of_extremes_and_then_events_of_that_life() -> None:
    for seen in NUMBERS:
        cluster = Cluster()
        summary = deepcopy(MESSAGES["summary"])
        summary[3] = {"e@1": seen, "f@1": 5}
        cluster.take("summary", summary)
        for first in NUMBERS:
            message = deepcopy(MESSAGES["push added"])
            message[2] = first
            cluster.take("push added", message)
        cluster.check()


@st.composite
def wrong(draw: st.DrawFn) -> tuple[str, list[tuple[Path, Any]]]:
    """Draw a kind of message, and two of its fields with what to put there."""
    kind = draw(st.sampled_from(list(MESSAGES)))
    fields = draw(st.lists(st.sampled_from(list(paths(MESSAGES[kind]))), min_size=2, max_size=2, unique=True))
    return kind, [(path, draw(st.sampled_from(extremes(MESSAGES[kind], path)))) for path in fields]


@settings(max_examples=30 * EXAMPLES, deadline=None)
@given(st.lists(wrong(), min_size=1, max_size=12))
def test_fields_at_their_extremes_in_pairs_and_one_after_the_other(
    messages: list[tuple[str, list[tuple[Path, Any]]]],
) -> None:
    cluster = with_requests()
    for kind, fields in messages:
        message = fresh(kind, cluster)
        for path, value in fields:
            put(message, path, value)
        cluster.take(kind, message)
        cluster.now += 1
    cluster.check()
