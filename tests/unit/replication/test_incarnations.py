# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Incarnations of gateways on the wire: new peers are told of them, old ones get what they understand."""

from __future__ import annotations

from typing import Annotated
from zlib import crc32

import pytest
from msgspec import Meta, Struct, msgpack

from edge.errors import InvalidInput
from loadstats.ledger import BUCKETS, Added, Beat, Done, FromIncarnation, RequestCopy
from replication.features import INCARNATIONS
from replication.messages import Push
from replication.paths import VERSION
from tests import first_release
from tests.unit.replication.raw_peer import Node

ADDED = FromIncarnation("one", 1_700_000_000_000, Added("r1", "qwen", "10.0.0.7", 1200, "gw"))
BEAT = FromIncarnation("one", 1_700_000_000_000, Beat("gw", 20, 1_700_000_000_001))


@pytest.mark.parametrize(
    ("event", "golden"),
    [
        (ADDED, "9414a36f6e65cf0000018bcfe568009700a27231a47177656ea831302e302e302e37cd04b0a2677701"),
        (BEAT, "9414a36f6e65cf0000018bcfe568009405a2677714cf0000018bcfe56801"),
    ],
)
def test_an_event_of_an_incarnation(event: FromIncarnation, golden: str) -> None:
    assert msgpack.encode(event).hex() == golden
    push = Push(VERSION, "a@1", 1, 1, 0, [event])
    assert msgpack.decode(msgpack.encode(push), type=Push) == push


@pytest.mark.parametrize("event", [ADDED, BEAT])
def test_a_peer_that_knows_no_incarnations_is_sent_the_report_alone(event: FromIncarnation) -> None:
    requests = Node("a@1").requests
    assert requests.for_peer(event, frozenset()) == event.event
    assert requests.for_peer(event, frozenset({"attempts", INCARNATIONS})) is event
    assert requests.for_peer(Done("r"), frozenset()) == Done("r")


def test_an_engine_within_is_checked_as_any() -> None:
    node = Node("a@1")
    wrong = FromIncarnation("one", 1, Added("r1", "qwen", "ten", 5, "gw"))
    with pytest.raises(InvalidInput, match="ip: expected an IPv4 or IPv6 address"):
        node.requests.checked([wrong])


def test_copies_with_and_without_an_incarnation_are_read_by_both_releases() -> None:
    node = Node("a@1")
    node.ledger.add("r1", "c", "10.0.0.1", 5, 0.0, 7_000_000, "gw", incarnation="one")
    node.ledger.add("r2", "c", "10.0.0.1", 5, 0.0, 7_000_000, "gw")
    layout = node.requests.layout
    for request_id, incarnation in (("r1", "one"), ("r2", "")):
        bucket = crc32(request_id.encode()) % BUCKETS
        state = node.replica.state("requests", layout.read_want(msgpack.encode([VERSION, [bucket]])), 0.0)
        body = layout.write_state(state)
        ((_, (copy,)),) = layout.read_state(body).buckets
        assert (copy.request_id, copy.incarnation, copy.since_ms) == (request_id, incarnation, 7 if incarnation else 0)
        assert isinstance(copy, RequestCopy)
        first_release.read_states["requests"](body)


class OldSummary(Struct, frozen=True, array_like=True):
    """A Summary as the release before reads it."""

    version: int
    origin: str
    joined: bool
    vector: dict[str, int]
    digests: list[int]
    owners: Annotated[dict[str, tuple[int, int]], Meta(max_length=100_000)] = {}


def test_a_summary_lists_incarnations_and_an_old_node_reads_it() -> None:
    node, other = Node("a@1"), Node("b@1")
    node.ledger.beat("gw", 20, 0.0, 5_000_000, "one")
    node.ledger.beat("gw", 20, 0.0, 5_000_000, "two")
    summary = node.replica.summary(0.0)
    assert summary.incarnations == {"gw": (660, {"two": 6, "one": 5})}
    read = msgpack.decode(msgpack.encode(summary), type=type(summary))
    assert read == summary
    assert msgpack.decode(msgpack.encode(summary), type=OldSummary).owners == summary.owners
    other.replica.meet(read, 100.0)
    assert not other.ledger.beat("gw", 20, 100.0, 1, "one")
    assert other.ledger.beat("gw", 20, 100.0, 1, "two")
