# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Calls about engines as such: dropping one, and the list of clusters."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import msgspec
import pytest

from edge.call import Call, Handler
from edge.errors import ContractError, InvalidInput, NotFound
from loadstats.engines import EngineHandlers
from loadstats.ledger import Ledger
from loadstats.ledger.limits import SLICE
from loadstats.ledger.totals import PART


class Engines:
    """The handlers on one ledger, and how many turns each call took."""

    def __init__(self) -> None:
        self.ledger = Ledger()
        self.handlers = EngineHandlers(self.ledger, now=lambda: 100.0, wall_ns=lambda: 7)
        self.plain: dict[str, Handler] = {route.path: route.handler for route in self.handlers.routes()}
        self.dropped: list[tuple[str, str]] = []
        self.cached: set[str] = set()
        self.ledger.on_dropped = self.forget

    def forget(self, cluster: str, engine: str) -> bool:
        """Stands in for the caches."""
        self.dropped.append((cluster, engine))
        return engine in self.cached

    def add(self, request_id: str, cluster: str = "c", ip: str = "10.0.0.1", prompt_length: int = 1) -> None:
        self.ledger.add(request_id, cluster, ip, prompt_length, 100.0, 7)

    def drop(self, **body: Any) -> Any:
        return msgspec.json.decode(self.plain["/v1/load/engine"](Call(b"", msgspec.json.encode(body), {})))

    def clusters(self, query: bytes = b"") -> Any:
        return msgspec.json.decode(self.plain["/v1/load/clusters"](Call(query, b"", {})))


def finished(work: Generator[None, None, Any]) -> tuple[Any, int]:
    """What comes of some work, and how often it let others have their turn."""
    turns = 0
    while True:
        try:
            next(work)
        except StopIteration as done:
            return done.value, turns
        turns += 1


@pytest.fixture
def engines() -> Engines:
    return Engines()


def test_a_dropped_engine_is_gone_and_its_requests_are_over(engines: Engines) -> None:
    for number in range(600):
        engines.add(f"r{number}")
    engines.add("other", ip="10.0.0.2")
    assert engines.drop(cluster="c", ip="10.0.0.1") == {"ended": 600}
    assert [row.ip for row in engines.ledger.rows("c")] == ["10.0.0.2"]
    assert engines.ledger.counts().in_flight == 1
    assert engines.dropped == [("c", "10.0.0.1")]


def test_it_gives_turns_from_the_first_bucket_to_the_last(engines: Engines) -> None:
    engines.add("r")
    work = engines.handlers.drop(Call(b"", b'{"cluster":"c","ip":"10.0.0.1"}', {}))
    next(work)
    assert engines.ledger.rows("c") == []  # at once
    assert finished(work)[1] > 100


def test_engines_that_share_an_address_are_dropped_by_their_whole_name(engines: Engines) -> None:
    engines.add("r", ip="10.0.0.1:8000/3")
    with pytest.raises(NotFound, match=r"cluster 'c' has no engine 10\.0\.0\.1$"):
        engines.drop(cluster="c", ip="10.0.0.1")
    assert engines.drop(cluster="c", ip="10.0.0.1", port=8000, dp_rank=3) == {"ended": 1}


def test_all_engines_of_an_address_are_dropped_in_one_call(engines: Engines) -> None:
    ports = [f"10.0.0.1:{port}/{rank}" for port in (8000, 8001) for rank in range(4)]
    for number, ip in enumerate(["10.0.0.1", "10.0.0.1:8000", "10.0.0.1/3", *ports]):
        engines.add(f"r{number}", ip=ip)
        engines.add(f"s{number}", ip=ip)
    others = ["10.0.0.10", "10.0.0.11:8000", "[::1]:8000"]
    for ip in others:
        engines.add(f"o{ip}", ip=ip)
    engines.add("elsewhere", cluster="d", ip="10.0.0.1")
    assert engines.drop(cluster="c", ip="10.0.0.1", all=True) == {"ended": 22}
    assert sorted(row.engine for row in engines.ledger.rows("c")) == sorted(others)
    assert len(engines.ledger.rows("d")) == 1
    assert engines.ledger.counts().in_flight == 4
    assert engines.drop(cluster="c", ip="::1", all=True) == {"ended": 1}
    with pytest.raises(NotFound, match=r"cluster 'c' has no engine at 10\.0\.0\.1$"):
        engines.drop(cluster="c", ip="10.0.0.1", all=True)


def test_an_address_alone_is_the_engine_without_port_and_rank(engines: Engines) -> None:
    for number, ip in enumerate(["10.0.0.1", "10.0.0.1:8000", "10.0.0.1:8000/1"]):
        engines.add(f"r{number}", ip=ip)
    assert engines.drop(cluster="c", ip="10.0.0.1", all=False) == {"ended": 1}
    assert sorted(row.engine for row in engines.ledger.rows("c")) == ["10.0.0.1:8000", "10.0.0.1:8000/1"]


def test_an_idle_engine_of_the_address_is_unlisted_too(engines: Engines) -> None:
    engines.add("r", ip="10.0.0.1:8000")
    engines.ledger.done("r", 100.0, 7)
    assert engines.drop(cluster="c", ip="10.0.0.1", all=True) == {"ended": 0}
    assert engines.ledger.rows("c") == []


@pytest.mark.parametrize(
    ("body", "error", "reason"),
    [
        ({"cluster": "c", "ip": "10.0.0.1", "port": 1, "all": True}, InvalidInput, "all: expected neither port nor"),
        ({"cluster": "c", "ip": "10.0.0.1", "dp_rank": 0, "all": True}, InvalidInput, "all: expected neither port nor"),
        ({"cluster": "c", "ip": "ten", "all": True}, InvalidInput, "ip: expected an IPv4 or IPv6 address"),
        ({"cluster": "c", "ip": "10.0.0.1", "all": 1}, InvalidInput, "all: expected `bool`"),
        ({"cluster": "none", "ip": "10.0.0.1", "all": True}, NotFound, "ip: cluster 'none' has no engine at"),
        ({"cluster": "none", "ip": "10.0.0.1"}, NotFound, "ip: cluster 'none' has no engine"),
        ({"cluster": "c", "ip": "ten"}, InvalidInput, "ip: expected an IPv4 or IPv6 address"),
        ({"cluster": "c"}, InvalidInput, "body: object missing required field `ip`"),
        ({"cluster": "c", "ip": "::1", "port": 0}, InvalidInput, "port: expected `int` >= 1"),
    ],
)
def test_what_names_no_engine_is_told_why(
    engines: Engines, body: dict[str, Any], error: type[ContractError], reason: str
) -> None:
    engines.add("r")
    with pytest.raises(error) as told:
        engines.drop(**body)
    assert told.value.reason.startswith(reason)


def test_an_engine_that_is_idle_loses_nothing(engines: Engines) -> None:
    engines.add("r", ip="::1")
    while engines.ledger.expire(10_000.0, 7):
        pass
    assert engines.ledger.rows("c") == []
    assert engines.dropped == []


def test_an_engine_that_only_caches_know_is_dropped_too(engines: Engines) -> None:
    engines.cached.add("[fd00::7]:80/3")
    assert engines.drop(cluster="c", ip="FD00:0::7", port=80, dp_rank=3) == {"ended": 0}
    with pytest.raises(NotFound):
        engines.drop(cluster="c", ip="fd00::7", port=80)
    assert engines.dropped == [("c", "[fd00::7]:80/3"), ("c", "[fd00::7]:80")]


def test_clusters_are_listed_by_name_with_their_sums(engines: Engines) -> None:
    assert engines.clusters() == []
    engines.add("r1", "b", prompt_length=5)
    engines.add("r2", "b", "10.0.0.2", prompt_length=6)
    engines.add("r3", "a")
    engines.ledger.first_token("r2", 100.0, 7)
    engines.ledger.tokens("r2", 3, 4, 100.0, 7)
    a = {"cluster": "a", "engines": 1, "queued_req_num": 1, "prompt_length": 1, "prefill_req_num": 1}
    b = {"cluster": "b", "engines": 2, "queued_req_num": 2, "prompt_length": 5, "prefill_req_num": 1}
    assert engines.clusters() == [
        a | {"token_num": 0, "orphaned_req_num": 0},
        b | {"token_num": 7, "orphaned_req_num": 0},
    ]


def test_they_come_page_by_page(engines: Engines) -> None:
    for number in range(5):
        engines.add(f"r{number}", f"m/{number}")

    def names(query: bytes) -> list[str]:
        return [row["cluster"] for row in engines.clusters(query)]

    assert names(b"limit=2") == ["m/0", "m/1"]
    assert names(b"limit=2&after=m%2F1") == ["m/2", "m/3"]
    assert names(b"after=m/4&limit=") == []
    assert names(b"after=") == [f"m/{number}" for number in range(5)]


@pytest.mark.parametrize("query", [b"limit=0", b"limit=1001", b"limit=x", b"limit=1.5", b"after=" + b"x" * 257])
def test_a_page_that_cannot_be_is_refused_by_name(engines: Engines, query: bytes) -> None:
    with pytest.raises(InvalidInput, match=query.partition(b"=")[0].decode() + ": expected"):
        engines.clusters(query)


def test_many_clusters_and_large_ones_are_read_in_turns(engines: Engines) -> None:
    count = PART + 10
    for number in range(count):
        engines.add(f"r{number}", f"{number:05}")
    for number in range(SLICE * 3):
        engines.add(f"s{number}", "00000", f"10.1.{number >> 8}.{number & 255}")
    assert finished(engines.ledger.loads.clusters_after("00002", 3)) == (["00003", "00004", "00005"], 1)
    data, turns = finished(engines.handlers.clusters(Call(b"limit=2", b"", {})))
    first, second = msgspec.json.decode(data)
    assert turns >= 4
    assert (first["engines"], second["engines"]) == (SLICE * 3 + 1, 1)


def test_a_cluster_that_goes_while_it_is_looked_at_has_no_engines(engines: Engines) -> None:
    for number in range(PART + 1):
        engines.add(f"r{number}", f"{number:05}")
    work = engines.handlers.clusters(Call(b"limit=1", b"", {}))
    next(work)
    engines.ledger.drop("00000", "10.0.0.1")
    (row,) = msgspec.json.decode(finished(work)[0])
    assert (row["cluster"], row["engines"], row["queued_req_num"]) == ("00000", 0, 0)


def test_all_of_an_address_is_what_only_caches_know_too(engines: Engines) -> None:
    engines.add("r", ip="10.0.0.1:80")
    engines.cached |= {"10.0.0.1:81", "10.0.0.1"}
    engines.ledger.loads.cached_at = lambda cluster, ip: sorted(engines.cached)
    assert engines.drop(cluster="c", ip="10.0.0.1", all=True) == {"ended": 1}
    assert sorted(engines.dropped) == [("c", "10.0.0.1"), ("c", "10.0.0.1:80"), ("c", "10.0.0.1:81")]
    engines.cached.clear()
    with pytest.raises(NotFound):
        engines.drop(cluster="c", ip="10.0.0.1", all=True)
