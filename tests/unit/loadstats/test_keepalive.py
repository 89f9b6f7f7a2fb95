# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Tokens, refreshes, heartbeats, and engines' names, where the contract cases don't reach."""

from __future__ import annotations

from time import monotonic
from typing import Any

import msgspec
import pytest

from edge.call import Call
from edge.errors import Conflict, TooMany
from loadstats.cache import MemoryLoadCache
from loadstats.handlers import LoadHandlers
from loadstats.keepalive import KeepAliveHandlers
from loadstats.ledger import Ledger


class Door:
    """Both kinds of handlers over one ledger, at a time of their own."""

    def __init__(self, **options: float) -> None:
        self.now = 100.0
        self.ledger = Ledger(**options)  # type: ignore[arg-type]
        clocks: dict[str, Any] = {"now": lambda: self.now, "wall_ns": lambda: int(self.now * 1e9)}
        self.load = LoadHandlers(self.ledger, **clocks)
        self.kept = KeepAliveHandlers(self.ledger, **clocks)

    def add(self, request_id: str, **members: Any) -> None:
        body = {"cluster": "c", "request_id": request_id, "ip": "10.0.0.1", **members}
        self.load.add(Call(b"", msgspec.json.encode(body), {}))

    def refresh(self, *request_ids: str) -> list[str]:
        body = msgspec.json.encode({"request_ids": request_ids})
        unknown: list[str] = msgspec.json.decode(self.kept.refresh(Call(b"", body, {})))["unknown"]
        return unknown

    def beat(self, owner: str, ttl_seconds: int, **members: Any) -> None:
        body = {"owner": owner, "ttl_seconds": ttl_seconds, **members}
        self.kept.heartbeat(Call(b"", msgspec.json.encode(body), {}))

    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        while self.ledger.lapse(self.now, 1) or self.ledger.expire(self.now, 1):
            pass

    def row(self) -> dict[str, int]:
        (row,) = msgspec.json.decode(self.ledger.loads.answer("c"))
        return {name: row.get(f"{name}_req_num", 0) for name in ("queued", "orphaned")}


def test_a_refreshed_request_expires_later() -> None:
    door = Door(request_seconds=60)
    door.add("r")
    door.add("s")
    door.pass_time(50)
    assert door.refresh("r", "nobody") == ["nobody"]
    door.pass_time(20)
    assert door.row() == {"queued": 1, "orphaned": 0}
    assert door.refresh("r", "s") == ["s"]
    door.pass_time(61)
    assert door.refresh("r") == ["r"]


def test_requests_live_with_their_owner_and_little_longer() -> None:
    door = Door(request_seconds=60, orphan_seconds=10)
    door.add("r", owner="gw")
    door.beat("gw", 200)
    door.pass_time(150)
    assert door.row() == {"queued": 1, "orphaned": 0}
    door.pass_time(51)
    assert door.row() == {"queued": 1, "orphaned": 1}
    door.beat("gw", 5)
    door.pass_time(0)
    assert door.row() == {"queued": 1, "orphaned": 0}
    door.pass_time(6)
    door.pass_time(11)
    assert door.ledger.counts().in_flight == 0
    assert door.ledger.counts().released == 1


def test_a_gateway_that_crashed_and_sends_heartbeats_again_does_not_keep_what_it_lost() -> None:
    """50 requests of `gateway-0`, expiry 10 s, grace 3 s: they counted for ever."""
    door = Door(request_seconds=10, orphan_seconds=3)
    door.beat("gateway-0", 5, incarnation="a")
    for number in range(50):
        door.add(f"r{number}", owner="gateway-0", incarnation="a")
    door.pass_time(1)
    for _ in range(45):
        door.beat("gateway-0", 5, incarnation="b")
        door.pass_time(1)
    assert door.ledger.counts().in_flight == 0
    door.add("new", owner="gateway-0", incarnation="b")
    for _ in range(45):
        door.beat("gateway-0", 5, incarnation="b")
        door.beat("gateway-0", 5, incarnation="a")
        door.pass_time(1)
    assert door.row() == {"queued": 1, "orphaned": 0}


@pytest.mark.parametrize("incarnation", [None, ""])
def test_a_heartbeat_may_name_no_incarnation(incarnation: str | None) -> None:
    door = Door()
    door.add("r", owner="gw", incarnation=incarnation)
    door.beat("gw", 5, incarnation=incarnation)
    assert door.ledger.replica.incarnations(door.now) == {}


def test_owners_are_bounded() -> None:
    door = Door(max_owners=1)
    door.beat("gw-1", 5)
    with pytest.raises(TooMany, match="owners: this node holds its most, 1"):
        door.beat("gw-2", 5)
    with pytest.raises(TooMany, match="owners"):
        door.add("r", owner="gw-2")
    assert door.ledger.counts().in_flight == 0
    door.add("r", owner="gw-1")


def test_a_mismatch_tells_the_row_as_it_is() -> None:
    door = Door()
    door.add("r", prompt_length=5)
    with pytest.raises(Conflict) as refusal:
        door.add("s", match={"queued_req_num": 1, "prompt_length": 4})
    row = msgspec.json.decode(refusal.value.data)
    assert (row["queued_req_num"], row["prompt_length"]) == (1, 5)
    door.add("s", match={"queued_req_num": 1, "prompt_length": 5})
    door.add("s", match={"queued_req_num": 77})  # repeated: not compared


def test_orphans_are_released_between_two_rounds_of_expiry() -> None:
    cache = MemoryLoadCache("orphans", {"OPTIONS": {"orphan_seconds": 1, "request_seconds": 600}})
    now = monotonic() - 100.0
    cache.ledger.add("r", "c", "10.0.0.1", 5, now, 0, "gw")
    cache.ledger.add("s", "c", "10.0.0.1", 5, now, 0)
    cache.ledger.beat("gw", 1, now, 0)
    while cache.ledger.lapse(now + 3, 0):
        pass
    assert cache.ledger.counts().orphans == 1
    assert cache.lapse() > 0
    assert [row.queued_req_num for row in cache.ledger.rows("c")] == [1]
