# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import zlib
from functools import partial

import msgspec
import pytest
from msgspec import msgpack

from edge.call import Call, Table
from edge.errors import Forbidden, InvalidInput
from loadstats.handlers import LoadHandlers
from loadstats.ledger import BUCKETS, Added, Done, LegacyLedgerAdapter
from replication import paths
from replication.admission import Admission
from replication.buckets import Want
from replication.client import Connection
from replication.entities import Summary
from replication.entities.caches import ReplicatedCaches
from replication.entities.requests import ReplicatedRequests
from replication.features import NAMES
from replication.handlers import ReplicaHandlers
from replication.link import PeerLink
from replication.messages import Ack, Push
from replication.paths import VERSION
from replication.sender import Sender
from replication.views import Standing
from tests.unit.replication.raw_peer import Node


class Door:
    """The handlers of a node, called as a peer at `client` does."""

    def __init__(self) -> None:
        self.node = Node("a@1")
        self.links: list[PeerLink] = []
        legacy = LoadHandlers(LegacyLedgerAdapter(self.node.ledger.replica))
        handlers = ReplicaHandlers(
            self.node.replica,
            Admission(""),
            lambda: self.links,
            {
                "load.stats.set": legacy.add,
                "load.stats.delete": legacy.done,
                "load.prompt.delete": legacy.first_token,
            },
            now=lambda: 100.0,
            wall_ns=lambda: 7,
        )
        self.table = Table(handlers.routes())

    def call(self, method: str, path: str, body: bytes = b"", client: str = "127.0.0.1", **headers: bytes) -> bytes:
        route = self.table.find(method.encode(), path.encode())
        assert route is not None
        named = {name.replace("_", "-").encode(): value for name, value in headers.items()}
        return route.handler(Call(b"", body, named, client=client))


def test_a_push_is_taken_and_acknowledged() -> None:
    door = Door()
    push = Push(VERSION, "b@1", 1, 1, 0, [Added("r", "c", "10.0.0.1", 5), Done("s")])
    ack = msgpack.decode(door.call("POST", paths.PUSH, msgpack.encode(push)), type=Ack)
    assert ack == Ack(VERSION, "a@1", 2, False, NAMES)
    assert door.node.live() == {"r"}


def test_summary_and_state_tell_what_is_here() -> None:
    door = Door()
    door.node.add("r", now=100.0)
    summary = msgpack.decode(door.call("POST", paths.SUMMARY), type=Summary)
    assert summary.vector == {"a@1": 1}
    [bucket] = [at for at, digest in enumerate(summary.digests) if digest]
    packed = door.call("POST", ReplicatedRequests.path, msgpack.encode(Want(VERSION, [bucket])))
    state = ReplicatedRequests.layout.read_state(zlib.decompress(packed))
    [(at, [copy])] = state.buckets
    assert (at, copy.request_id, copy.origin, copy.seq) == (bucket, "r", "a@1", 1)


@pytest.mark.parametrize(
    "path", [paths.EVENT, paths.PUSH, paths.SUMMARY, ReplicatedRequests.path, ReplicatedCaches.path]
)
def test_only_peers_may(path: str) -> None:
    # Over a real connection this cannot be seen: all of 127.0.0.0/8 is this machine, which is always let in.
    with pytest.raises(Forbidden):
        Door().call("POST", path, b"x", client="192.0.2.1")


def test_anybody_may_ask_who_the_peers_are() -> None:
    assert b'"origin":"a@1"' in Door().call("GET", paths.PEERS, client="192.0.2.1")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xc1",
        b"{}",
        b"\x91" * 5000,
        msgpack.encode([1, "b@1", -1, 1, 0, []]),
        msgpack.encode([1, "", 1, 1, 0, []]),
        msgpack.encode([1, "x" * 129, 1, 1, 0, []]),
        msgpack.encode([1, "b@1", 1, 1, 0, [[2, "r"]] * 1025]),
        b"\x96\x01\xa3b@1\x01\x01\x00\x91\x92\x02\xa5r",
        b"\x96\x01\xa3b\xff1\x01\x01\x00\x90",
    ],
)
def test_a_push_that_is_none_is_one_clear_error(body: bytes) -> None:
    door = Door()
    with pytest.raises(InvalidInput, match="body: "):
        door.call("POST", paths.PUSH, body)
    assert door.node.replica.vector() == {"a@1": 0}


BAD_EVENTS = {
    "of an unknown kind": msgpack.encode([99, "r"]),
    "of a kind that is no number": msgpack.encode(["add", "r"]),
    "with an empty id": msgpack.encode([2, ""]),
    "with a long id": msgpack.encode([2, "r" * 257]),
    "with an id that is no text": b"\x92\x02\xa1\xff",
    "without an id": msgpack.encode([2]),
    "of a large prompt": msgpack.encode([0, "r", "c", "10.0.0.1", 2**31]),
    "of an engine of no name": msgpack.encode([0, "r", "c", "nowhere", 5]),
    "of a negative length": msgpack.encode([0, "r", "c", "10.0.0.1", -1]),
    "that is a number": b"\x05",
    "that is empty": b"\x90",
    "that is a map": msgpack.encode({"request_id": "r"}),
    "with a stamp after 2116": msgpack.encode([7, "c", "10.0.0.1", 2**64 - 1, [1]]),
    "of a cache of no address": msgpack.encode([8, "c", "nowhere", 5]),
    "of an endless heartbeat": msgpack.encode([5, "gw", 86_401, 1]),
}


@pytest.mark.parametrize("bad", BAD_EVENTS.values(), ids=BAD_EVENTS)
def test_an_event_that_cannot_be_taken_is_left_out_and_shown_and_the_others_are_taken(bad: bytes) -> None:
    door = Door()
    events = [msgpack.encode([0, "s", "c", "10.0.0.1", 5]), bad, msgpack.encode([2, "t"]), bad]
    body = b"\x96\x01\xa3b@1\x01\x01\x00\x94" + b"".join(events)
    for _ in range(2):  # the second time nothing is new
        ack = msgpack.decode(door.call("POST", paths.PUSH, body), type=Ack)
        assert ack.watermark == 4
        assert door.node.live() == {"s"}
        assert door.node.replica.taken_events == 2
        told = msgspec.json.decode(door.call("GET", paths.PEERS))
        assert told["left_out_events"] == 2
        assert [(each["origin"], each["seq"]) for each in told["left_out"]] == [("b@1", 2), ("b@1", 4)]
        assert all(each["reason"] for each in told["left_out"])
        assert msgspec.to_builtins(msgspec.convert(told, Standing)) == told


@pytest.mark.parametrize("member", [1, 2, 3])
@pytest.mark.parametrize("value", [2**53 + 1, 2**63, 2**64 - 1])
def test_numbers_of_a_push_that_no_node_reaches_are_refused(member: int, value: int) -> None:
    push: list[object] = [1, "b@1", 1, 1, 0, [[2, "r"]]]
    push[member] = str(value) * 10 if member == 1 else value
    with pytest.raises(InvalidInput):
        Door().call("POST", paths.PUSH, msgpack.encode(push))


@pytest.mark.parametrize("buckets", [[], [BUCKETS], [-1], [0] * (BUCKETS + 1)])
def test_a_want_out_of_bounds_is_refused(buckets: list[int]) -> None:
    with pytest.raises(InvalidInput, match="body: "):
        Door().call("POST", ReplicatedRequests.path, msgpack.encode([VERSION, buckets]))


def test_events_of_the_originals_kind_are_taken_and_not_told_on() -> None:
    door = Door()
    body = b'{"cluster":"c","request_id":"r","prompt_length":5,"ip":"10.0.0.1"}'
    assert door.call("POST", paths.EVENT, body, event_type=b"load.stats.set") == b"null"
    assert door.node.live() == {"r"}
    door.call("POST", paths.EVENT, b'{"request_id":"r"}', event_type=b"load.prompt.delete")
    assert [(row.queued_req_num, row.prompt_length) for row in door.node.ledger.rows("c")] == [(1, 0)]
    door.call("POST", paths.EVENT, b'{"request_id":"r"}', event_type=b"load.stats.delete")
    assert door.node.live() == set()
    assert door.node.journal.latest == 0


@pytest.mark.parametrize(
    "headers",
    [{}, *({"event_type": value} for value in (b"", b"Load.Stats.Set", b"load.stats.get", b"\xff"))],
)
def test_an_event_of_no_known_type_is_refused(headers: dict[str, bytes]) -> None:
    with pytest.raises(InvalidInput, match="Event-Type"):
        Door().call("POST", paths.EVENT, b'{"request_id":"r"}', "127.0.0.1", **headers)


@pytest.mark.parametrize("body", [b"", b"[]", b'{"request_id":"r"}', b'{"cluster":"c","request_id":"r","ip":"x"}'])
def test_events_are_validated_as_clients_calls_are(body: bytes) -> None:
    with pytest.raises(InvalidInput):
        Door().call("POST", paths.EVENT, body, event_type=b"load.stats.set")


def test_a_call_that_fails_through_a_fault_of_ours_is_noted() -> None:
    door = Door()
    door.node.requests.summary = lambda now: {"digests": [2**64], "owners": {}}  # type: ignore[method-assign]
    with pytest.raises(OverflowError):
        door.call("POST", paths.SUMMARY)
    assert door.node.replica.unanswered.times == 1
    assert door.node.replica.unanswered.lately(100.0).startswith("no summary: OverflowError: ")
    assert door.node.replica.unanswered.lately(161.0) == ""
    with pytest.raises(InvalidInput):
        door.call("POST", paths.PUSH, b"")
    assert door.node.replica.unanswered.times == 1  # that one is the peer's fault


def test_operators_see_each_peer() -> None:
    door = Door()
    sender = Sender(door.node.journal, lambda: 1.0)
    connect = partial(Connection, "10.0.0.2", 80, dial_seconds=1, request_seconds=1)
    link = PeerLink("10.0.0.2:80", sender, connect, now=lambda: 100.0, observe=print, idle=set())  # type: ignore[arg-type]
    door.links.append(link)
    door.node.add("r", now=90.0)
    told = msgspec.json.decode(door.call("GET", paths.PEERS))
    assert told["origin"] == "a@1"
    assert told["joined"] is False
    assert told["vector"] == {"a@1": 1}
    [peer] = told["peers"]
    assert peer == {
        "peer": "10.0.0.2:80",
        "state": "new",
        "since_seconds": None,
        "origin": "",
        "joined": False,
        "console_url": "",
        "acknowledged": 0,
        "lag_events": 1,
        "lag_seconds": 10.0,
        "sent_events": 0,
        "lost_events": 0,
        "pulling_buckets": 0,
        "failed_pulls": 0,
        "refused_events": 0,
        "unwritten_pushes": 0,
        "last_error": "",
    }
    assert msgspec.to_builtins(msgspec.convert(told, Standing)) == told  # what the schema says
    sender.failed("no route to host", 95.0)
    [peer] = msgspec.json.decode(door.call("GET", paths.PEERS))["peers"]
    assert (peer["state"], peer["since_seconds"], peer["last_error"]) == ("lost", 5.0, "no route to host")
