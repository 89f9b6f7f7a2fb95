# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from typing import Any

import msgspec
import pytest

from edge.body import MAX_HASH
from edge.call import Call
from edge.errors import InvalidInput
from kvcache.handlers import CacheHandlers
from kvcache.index import CacheIndex
from kvcache.stamps import Stamps
from kvcache.wire import MAX_HASHES

A, B = "10.0.0.1", "fd00::2"
NOWHERE: dict[str, Any] = {"locations": []}


class FakeJournal:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []

    def saved(self, cluster: str, ip: str, hashes: tuple[int, ...], stamp: int, now: float) -> None:
        self.told.append((cluster, ip, hashes, stamp, now))

    def dropped(self, cluster: str, ip: str | None, stamp: int, now: float) -> None:
        self.told.append((cluster, ip, stamp, now))


class Calls:
    """The handlers, called with members of a body."""

    def __init__(self, index: CacheIndex | None) -> None:
        self.handlers = CacheHandlers(index, now=lambda: 3.0, wall_ns=lambda: 1000)
        self.journal = self.handlers.journal = FakeJournal()
        self.routes = {(route.method, route.path): route.handler for route in self.handlers.routes()}

    def __call__(self, method: str, path: str, **members: Any) -> Any:
        return msgspec.json.decode(self.routes[method, path](Call(b"", msgspec.json.encode(members), {})))

    def save(self, **members: Any) -> Any:
        return self("POST", "/v1/cache/save", **members)

    def query(self, **members: Any) -> Any:
        return self("POST", "/v1/cache/query", **members)

    def drop(self, **members: Any) -> Any:
        return self("DELETE", "/v1/cache", **members)


@pytest.fixture
def calls() -> Calls:
    return Calls(CacheIndex())


def test_locations_come_in_order(calls: Calls) -> None:
    for ip, blocks in ((A, [1, 2]), (B, [1, 2, 3]), ("10.0.0.0", [1, 2])):
        assert calls.save(cluster="c", ip=ip, prompt_hash=blocks) is None
    found = calls.query(cluster="c", prompt_hash=[1, 2, 3, 4])
    assert found == {
        "locations": [{"ip": B, "length": 3}, {"ip": "10.0.0.0", "length": 2}, {"ip": A, "length": 2}],
    }
    assert list(found["locations"][0]) == ["ip", "length"]


@pytest.mark.parametrize("topk", [None, 0])
def test_ten_locations_unless_told_otherwise(calls: Calls, topk: int | None) -> None:
    for number in range(20):
        calls.save(cluster="c", ip=f"10.0.0.{number}", prompt_hash=[1])
    assert len(calls.query(cluster="c", prompt_hash=[1])["locations"]) == 10
    assert len(calls.query(cluster="c", prompt_hash=[1], topk=topk)["locations"]) == 10
    assert len(calls.query(cluster="c", prompt_hash=[1], topk=15)["locations"]) == 15


@pytest.mark.parametrize("blocks", [[], None])
def test_a_prompt_without_blocks_is_held_by_nobody_and_told_to_nobody(calls: Calls, blocks: list[int] | None) -> None:
    assert calls.save(cluster="c", ip=A, prompt_hash=blocks) is None
    assert calls.query(cluster="c", prompt_hash=blocks) == NOWHERE
    assert calls.journal.told == []


def test_the_longest_prompt_and_the_largest_hash_are_taken_and_more_is_refused(calls: Calls) -> None:
    blocks = [MAX_HASH - number for number in range(MAX_HASHES)]
    calls.save(cluster="c", ip=A, prompt_hash=blocks)
    assert calls.query(cluster="c", prompt_hash=blocks) == {"locations": [{"ip": A, "length": MAX_HASHES}]}
    for refused, reason in (
        ([*blocks, 1], "prompt_hash: expected `array` of length <= 16384"),
        ([1, MAX_HASH + 1], "prompt_hash: expected integers from 0 to 18446744073709551615"),
    ):
        for call in (calls.save, calls.query):
            with pytest.raises(InvalidInput) as caught:
                call(cluster="c", ip=A, prompt_hash=refused)
            assert caught.value.reason == reason


def test_the_journal_is_told_of_saves_and_drops_in_the_order_of_their_stamps(calls: Calls) -> None:
    calls.save(cluster="c", ip=A, prompt_hash=[1, 2])
    calls.drop(cluster="c", ip=A)
    calls.save(cluster="c", ip=A, prompt_hash=[1])
    calls.drop(cluster="c")
    assert calls.journal.told == [
        ("c", A, (1, 2), 1000, 3.0),
        ("c", A, 1001, 3.0),
        ("c", A, (1,), 1002, 3.0),
        ("c", None, 1003, 3.0),
    ]


def test_a_save_after_a_drop_stands_though_the_clock_stands_still(calls: Calls) -> None:
    calls.save(cluster="c", ip=A, prompt_hash=[1, 2])
    calls.drop(cluster="c", ip=A)
    assert calls.query(cluster="c", prompt_hash=[1, 2]) == NOWHERE
    calls.save(cluster="c", ip=A, prompt_hash=[1])
    assert calls.query(cluster="c", prompt_hash=[1, 2]) == {"locations": [{"ip": A, "length": 1}]}


def test_a_dropped_engine_loses_its_cache_by_one_drop_that_is_journalled(calls: Calls) -> None:
    calls.save(cluster="c", ip=A, prompt_hash=[1])
    assert calls.handlers.forget("c", A)
    assert calls.query(cluster="c", prompt_hash=[1]) == NOWHERE
    assert calls.journal.told[1:] == [("c", A, 1001, 3.0)]
    assert not calls.handlers.forget("c", A)  # but other nodes may know it
    assert calls.journal.told[2:] == [("c", A, 1002, 3.0)]


def test_without_a_journal_all_works() -> None:
    calls = Calls(CacheIndex())
    calls.handlers.journal = None
    calls.save(cluster="c", ip=A, prompt_hash=[1])
    calls.drop(cluster="c")
    assert calls.query(cluster="c", prompt_hash=[1]) == NOWHERE


def test_without_an_index_calls_are_answered_and_checked() -> None:
    calls = Calls(None)
    assert calls.save(cluster="c", ip=A, prompt_hash=[1]) is None
    assert calls.query(cluster="c", prompt_hash=[1]) == NOWHERE
    assert calls.drop(cluster="c", ip=A) is None
    assert not calls.handlers.forget("c", A)
    assert not calls.handlers.forget_all("c", A)
    assert calls.journal.told == []
    with pytest.raises(InvalidInput, match="ip: expected an IPv4 or IPv6 address"):
        calls.save(cluster="c", ip="here", prompt_hash=[1])


def test_stamps_never_go_back_and_are_later_than_any_seen() -> None:
    times = iter([100, 50, 200, 150])
    stamps = Stamps(lambda: next(times))
    assert [stamps.next(), stamps.next()] == [100, 101]
    stamps.seen(90)
    assert stamps.next() == 200
    stamps.seen(1000)
    assert stamps.next() == 1001
