# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import zlib

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
        msgpack.encode([1, "b@1", 1, 1, 0, [[9, "r"]]]),
        msgpack.encode([1, "b@1", -1, 1, 0, []]),
        msgpack.encode([1, "", 1, 1, 0, []]),
        msgpack.encode([1, "x" * 129, 1, 1, 0, []]),
        msgpack.encode([1, "b@1", 1, 1, 0, [[2, ""]]]),
        msgpack.encode([1, "b@1", 1, 1, 0, [[2, "r" * 257]]]),
        msgpack.encode([1, "b@1", 1, 1, 0, [[0, "r", "c", "10.0.0.1", 2**31]]]),
        msgpack.encode([1, "b@1", 1, 1, 0, [[2, "r"]] * 1025]),
        b"\x96\x01\xa3b@1\x01\x01\x00\x91\x92\x02\xa1\xff",
    ],
)
def test_a_push_that_is_none_is_one_clear_error(body: bytes) -> None:
    door = Door()
    with pytest.raises(InvalidInput, match="body: "):
        door.call("POST", paths.PUSH, body)
    assert door.node.replica.vector() == {"a@1": 0}


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


def test_operators_see_each_peer() -> None:
    door = Door()
    sender = Sender(door.node.journal, lambda: 1.0)
    link = PeerLink("10.0.0.2:80", sender, lambda: None, now=lambda: 100.0, observe=print, idle=set())  # type: ignore[arg-type,return-value]
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
        "acknowledged": 0,
        "lag_events": 1,
        "lag_seconds": 10.0,
        "sent_events": 0,
        "lost_events": 0,
        "pulling_buckets": 0,
        "last_error": "",
    }
    assert msgspec.to_builtins(msgspec.convert(told, Standing)) == told  # what the schema says
    sender.failed("no route to host", 95.0)
    [peer] = msgspec.json.decode(door.call("GET", paths.PEERS))["peers"]
    assert (peer["state"], peer["since_seconds"], peer["last_error"]) == ("lost", 5.0, "no route to host")
