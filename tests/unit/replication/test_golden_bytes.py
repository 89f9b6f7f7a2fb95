# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The wire is version 1, byte for byte: every message as it was before records and caches shared one mechanism.

The bytes were made by commit e10058d. They are changed only together with the version. Since then events, copies and
messages have got members at their ends: nodes of the releases before ignore them (`as_before`), and what they send is
read without them.
"""

from __future__ import annotations

import zlib
from typing import Any

import pytest
from msgspec import msgpack

from edge.call import Call, Table
from loadstats.ledger import Added, Beat, Done, Dropped, FirstToken, RequestRefreshed, TokensCounted
from replication.admission import Admission
from replication.entities import Event
from replication.entities.caches import CacheLost, Saved
from replication.features import NAMES
from replication.handlers import ReplicaHandlers
from replication.messages import Ack, Push
from replication.paths import VERSION
from tests.unit.replication.raw_peer import Node

EVENTS = {
    0: (
        Added("r1", "qwen", "10.0.0.7:8000/3", 1200, "gw"),
        "9600a27231a47177656eaf31302e302e302e373a383030302f33cd04b0a26777",
    ),
    1: (FirstToken("r1"), "9201a27231"),
    2: (Done("r1"), "9202a27231"),
    3: (TokensCounted("r1", 5, 2**31 - 1), "9403a2723105ce7fffffff"),
    4: (RequestRefreshed("r1", 2**53), "9304a27231cf0020000000000000"),
    5: (Beat("gw", 20, 1_700_000_000_000), "9405a2677714cf0000018bcfe56800"),
    6: (Dropped("qwen", "::1"), "9306a47177656ea33a3a31"),
    7: (
        Saved("qwen", "10.0.0.7", 2**62, (0, 2**64 - 1)),
        "9507a47177656ea831302e302e302e37cf40000000000000009200cfffffffffffffffff",
    ),
    8: (CacheLost("qwen", None, 7), "9408a47177656ec007"),
}


@pytest.mark.parametrize("tag", EVENTS)
def test_an_event(tag: int) -> None:
    event, golden = EVENTS[tag]
    assert as_before(msgpack.encode(event), golden).hex() == golden
    assert msgpack.decode(bytes.fromhex(golden), type=Event) == event
    push = Push(VERSION, "a@1", 1, 1, 0, [event])
    assert msgpack.decode(msgpack.encode(push), type=Push).events == [event]


def test_a_push_and_its_ack() -> None:
    push = Push(VERSION, "10.0.0.1:8080@18a5", 3, 2, 1500, [FirstToken("r1"), Done("r0")], [0, 1])
    assert as_before(msgpack.encode(push), PUSH).hex() == PUSH
    assert msgpack.decode(bytes.fromhex(PUSH), type=Push) == push
    ack = Ack(VERSION, "10.0.0.2:8080@18b7", 3, True)
    assert as_before(msgpack.encode(ack), ACK).hex() == ACK
    assert msgpack.decode(bytes.fromhex(ACK), type=Ack) == ack


def as_before(message: bytes, golden: str) -> bytes:
    """Return a message without the members that its arrays have beyond those of the golden one."""

    def cut(new: Any, old: Any) -> Any:
        if not isinstance(new, list) or not isinstance(old, list):
            return new
        return [cut(*pair) for pair in zip(new, old, strict=False)]

    return msgpack.encode(cut(msgpack.decode(message), msgpack.decode(bytes.fromhex(golden))))


def with_short_copies(state: bytes) -> bytes:
    """Return a State of requests without its origin. Its copies have the thirteen members that they had at first."""
    version, buckets, _ = msgpack.decode(state)
    return msgpack.encode([version, [[bucket, [copy[:13] for copy in copies]] for bucket, copies in buckets]])


def without_origin(state: bytes) -> bytes:
    """Return a State of caches with the four members that it has had from the start."""
    *members, origin = msgpack.decode(state)
    assert origin == "a@1"
    return msgpack.encode(members)


class Served:
    """A node with requests and caches of every kind, asked as a peer asks it."""

    def __init__(self) -> None:
        self.node = Node("a@1")
        ledger = self.node.ledger
        ledger.beat("gw", 20, 90.0, 1_700_000_000_000_000_000)
        ledger.add("r1", "qwen", "10.0.0.7:8000/3", 1200, 90.0, 1_700_000_000_000_000_000, "gw")
        ledger.add("r2", "qwen", "10.0.0.8", 7, 91.0, 1_700_000_000_000_000_000)
        ledger.first_token("r1", 92.0, 1)
        ledger.tokens("r1", 1200, 37, 93.0, 1)
        ledger.refresh("r1", 94.0, 1_700_000_001_000_000_000)
        ledger.done("r2", 95.0, 1)
        ledger.done("r0", 95.0, 1)  # a stub
        self.node.save((1, 2**64 - 1), now=96.0)
        self.node.save((2, 3), ip="10.0.0.2", now=97.0)
        self.node.lose("10.0.0.2", now=98.0)
        self.node.save((4,), ip="10.0.0.2", now=99.0)
        self.node.lose(None, now=99.0)
        self.node.save((5, 6, 7), ip="10.0.0.3", now=99.0)
        handlers = ReplicaHandlers(
            self.node.replica, Admission(""), lambda: [], {}, now=lambda: 100.0, wall_ns=lambda: 1
        )
        self.table = Table(handlers.routes())

    def ask(self, path: bytes, body: bytes = b"") -> bytes:
        route = self.table.find(b"POST", path)
        assert route is not None
        return route.handler(Call(b"", body, {}, client="127.0.0.1"))


def test_a_push_that_is_served() -> None:
    assert (
        Served().ask(b"/v1/replica/push", bytes.fromhex(PUSH))[1:].hex()
        == SERVED_ACK[2:] + msgpack.encode(NAMES).hex() + msgpack.encode("").hex()
    )


def test_a_summary() -> None:
    served = Served().ask(b"/v1/replica/summary")
    members = msgpack.decode(served)
    assert members[6:] == [NAMES, {}], "no incarnations"
    summary = msgpack.encode(members[:6])
    assert summary[:8].hex() == SUMMARY_BEGINS
    assert (len(summary), f"{zlib.crc32(summary):08x}") == SUMMARY


@pytest.mark.parametrize("joined", [False, True])
def test_a_state_of_requests(*, joined: bool) -> None:
    served = Served()
    served.node.replica.joined = joined
    want = bytes.fromhex("9201 9a cd0127 00 01 02 03 cd01b1 04 cd03ff 05 06")
    assert with_short_copies(zlib.decompress(served.ask(b"/v1/replica/state", want))).hex() == STATE_SOME
    every = msgpack.encode([1, list(range(1024))])
    state = with_short_copies(zlib.decompress(served.ask(b"/v1/replica/state", every)))
    assert (len(state), f"{zlib.crc32(state):08x}") == STATE_ALL


@pytest.mark.parametrize("joined", [False, True])
def test_a_state_of_caches(*, joined: bool) -> None:
    served = Served()
    served.node.replica.joined = joined
    state = without_origin(zlib.decompress(served.ask(b"/v1/replica/cache", msgpack.encode([1, list(range(256))]))))
    assert (len(state), f"{zlib.crc32(state):08x}") == CACHE_STATE_ALL[joined]
    some = [bucket for bucket, copies in msgpack.decode(state)[3] if copies]
    state = without_origin(zlib.decompress(served.ask(b"/v1/replica/cache", msgpack.encode([1, [*some, 0]]))))
    assert state.hex() == CACHE_STATE_SOME[joined]


PUSH = "9701b231302e302e302e313a3830383040313861350302cd05dc929201a272319202a27230920001"
ACK = "9401b231302e302e302e323a38303830403138623703c3"
SERVED_ACK = "9401a361403100c2"  # there is a hole before it
SUMMARY_BEGINS = "9601a3614031c281"
SUMMARY = (1063, "1a9c05f1")  # length and CRC-32
STATE_SOME = (
    "92019a92cd0127919da272300237a0a000a000a00000000592009092019092029092039092cd01b1919da2723101cd028ea47177656eaf3130"
    "2e302e302e373a383030302f33cd04b0a361403102a26777cd04b025cf0000018bcfe56be80a92049092cd03ff90920590920690"
)
STATE_ALL = (4842, "8ac2e46b")
CACHE_STATE_ALL = {False: (941, "cef2d6c5"), True: (941, "9ad8b289")}
_CACHE_STATE = "9294a163a831302e302e302e32030294a163c005019292ccd39195a163a831302e302e302e33060193050607920090"
CACHE_STATE_SOME = {False: "9401c2" + _CACHE_STATE, True: "9401c3" + _CACHE_STATE}
