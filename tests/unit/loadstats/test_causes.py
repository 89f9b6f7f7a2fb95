# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Who ended a request: kept in its tombstone, passed on, counted, shown."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations
from zlib import crc32

import pytest
from msgspec import ValidationError, msgpack
from prometheus_client import CollectorRegistry

from loadstats.ledger import BUCKETS, CAUSES, Added, Beat, Cause, Done, Event, Ledger, Origin, RequestCopy
from loadstats.ledger.cause import better_known, name_of
from loadstats.metrics import LoadCollector
from tests.audit import audit

A = Origin.of("a@1")
WINDOW, GRACE = 60, 10
ADDED = Added("r", "c", "10.0.0.1", 5, "g")


def make() -> Ledger:
    return Ledger(request_seconds=WINDOW, tombstone_seconds=WINDOW, orphan_seconds=GRACE)


def age(ledger: Ledger, now: float) -> None:
    while ledger.lapse(now, 1) or ledger.expire(now, 1):
        pass


def cause(ledger: Ledger) -> str:
    view = ledger.requests.look("r", 0.0)
    assert view is not None
    return view.cause


def pull(into: Ledger, source: Ledger, *, covered: bool = False) -> int:
    """Merge the bucket of the one request, over the wire."""
    bucket = crc32(b"r") % BUCKETS
    copies = [msgpack.decode(msgpack.encode(copy), type=RequestCopy) for copy in source.replica.copies(bucket, 0.0)]
    return into.replica.merge(bucket, copies, theirs=lambda *_: covered, ours=lambda *_: False, now=0.0, wall_ns=1)


def by_gateway(ledger: Ledger) -> None:
    ledger.done("r", 0.0, 1)


def by_operator(ledger: Ledger) -> None:
    ledger.done("r", 0.0, 1, Cause.OPERATOR)


def by_age(ledger: Ledger) -> None:
    age(ledger, WINDOW)


def by_silence(ledger: Ledger) -> None:
    ledger.replica.apply([Beat("g", 1, 1)], A, 2, 0.0, 1)
    age(ledger, 3)
    age(ledger, 3 + GRACE)


def by_drop(ledger: Ledger) -> None:
    assert ledger.drop("c", "10.0.0.1") == 1
    age(ledger, 0.0)


def elsewhere(ledger: Ledger) -> None:
    assert pull(ledger, make(), covered=True) == 1


ENDS: dict[str, Callable[[Ledger], None]] = {
    "gateway": by_gateway,
    "operator": by_operator,
    "age": by_age,
    "silence": by_silence,
    "engine_drop": by_drop,
    "elsewhere": elsewhere,
}


@pytest.mark.parametrize("name", ENDS)
def test_an_end_is_remembered_with_its_cause_and_counted_under_that_alone(name: str) -> None:
    ledger = make()
    ledger.replica.apply([ADDED], A, 1, 0.0, 1)
    assert cause(ledger) == ""
    ENDS[name](ledger)
    assert cause(ledger) == name
    assert ledger.counts().ended() == {each: int(each == name) for each in ENDS}
    assert ledger.counts().expired == int(name == "age")
    audit(ledger)


def test_every_cause_is_tried_here() -> None:
    assert set(ENDS) == set(CAUSES.values())


@pytest.mark.parametrize("name", ENDS)
def test_a_cause_travels_with_the_tombstone_and_with_the_stub(name: str) -> None:
    source, known, new = make(), make(), make()
    for each in (source, known):
        each.replica.apply([ADDED], A, 1, 0.0, 1)
    ENDS[name](source)
    pull(known, source)
    pull(new, source)
    assert cause(known) == cause(new) == name
    assert known.counts().ended()[name] == 1
    new.replica.apply([ADDED], A, 1, 0.0, 1)  # the add comes late
    assert cause(new) == name
    assert known.replica.digests() == new.replica.digests() == [0] * BUCKETS


class Notes:
    """A journal."""

    def __init__(self) -> None:
        self.origin = Origin.of("n@1")
        self.events: list[Event] = []

    def append(self, event: Event, now: float, size: int = 0) -> int:
        self.events.append(event)
        return len(self.events)


@pytest.mark.parametrize("name", ["gateway", "operator", "engine_drop"])
def test_the_ends_that_are_journalled_say_their_cause(name: str) -> None:
    ledger, peer = make(), make()
    ledger.journal = notes = Notes()
    ledger.add("r", "c", "10.0.0.1", 5, 0.0, 1)
    ENDS[name](ledger)
    events = [msgpack.decode(msgpack.encode(event), type=Event) for event in notes.events]
    peer.replica.apply(events, notes.origin, 1, 0.0, 1)
    assert cause(peer) == name
    assert peer.counts().ended() == ledger.counts().ended()


def test_an_end_of_the_last_release_is_read_as_a_gateways() -> None:
    assert msgpack.decode(msgpack.encode([2, "r"]), type=Event) == Done("r", Cause.GATEWAY)
    old = msgpack.decode(msgpack.encode(["r", 2, 60]), type=RequestCopy)
    assert old.cause == Cause.GATEWAY


@pytest.mark.no_cover
def test_of_two_causes_all_nodes_keep_the_same_whatever_came_first() -> None:
    ends = [Done("r", each) for each in Cause]
    for length in range(1, len(ends) + 1):
        for order in list(permutations(ends, length))[:200]:
            ledger = make()
            ledger.replica.apply([ADDED, *order], A, 1, 0.0, 1)
            assert cause(ledger) == name_of(max(event.cause for event in order))
            assert sum(ledger.counts().ended().values()) == 1


def test_an_end_that_another_node_infers_does_not_hide_what_is_known() -> None:
    one, other = make(), make()
    for each in (one, other):
        each.replica.apply([ADDED], A, 1, 0.0, 1)
    elsewhere(one)
    by_operator(other)
    pull(one, other)
    pull(other, one)
    assert cause(one) == cause(other) == "operator"


def test_a_client_that_ends_what_age_has_ended_changes_nothing() -> None:
    ledger = make()
    ledger.replica.apply([ADDED], A, 1, 0.0, 1)
    by_age(ledger)
    assert not ledger.done("r", WINDOW, 1)
    assert cause(ledger) == "age"


def test_what_a_later_release_says_is_kept_and_passed_on() -> None:
    later = Cause.GATEWAY + 1 | 0x30  # a cause and an outcome that are unknown here
    ledger, peer = make(), make()
    ledger.replica.apply([ADDED, Done("r", later)], A, 1, 0.0, 1)
    assert cause(ledger) == ""
    pull(peer, ledger)
    (copy,) = peer.replica.copies(crc32(b"r") % BUCKETS, 0.0)
    assert copy.cause == later
    outcome = Cause.GATEWAY | 0x10
    ledger = make()
    ledger.replica.apply([ADDED, Done("r", outcome)], A, 1, 0.0, 1)
    assert cause(ledger) == "gateway"


def test_the_order_of_causes_looks_at_the_cause_first() -> None:
    assert better_known(Cause.AGE | 0xF0, Cause.GATEWAY) == Cause.GATEWAY
    assert better_known(Cause.GATEWAY | 0x10, Cause.GATEWAY) == Cause.GATEWAY | 0x10


@pytest.mark.parametrize("byte", [-1, 256])
def test_a_cause_is_a_byte(byte: int) -> None:
    for message, kind in ((Done("r", byte), Event), (RequestCopy("r", 2, 60, cause=byte), RequestCopy)):
        with pytest.raises(ValidationError):
            msgpack.decode(msgpack.encode(message), type=kind)


def test_the_ends_are_in_the_metrics_by_cause() -> None:
    class Cache:
        ledger = make()

    Cache.ledger.replica.apply([ADDED], A, 1, 0.0, 1)
    by_drop(Cache.ledger)
    registry = CollectorRegistry()
    registry.register(LoadCollector(Cache()))  # type: ignore[arg-type] # all that it reads of one
    for name in ENDS:
        ended = registry.get_sample_value("metadata_center_ledger_ended_total", {"cause": name})
        assert ended == int(name == "engine_drop")
