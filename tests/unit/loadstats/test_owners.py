# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The list of gateways, and the end of all requests of one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator
from random import Random
from threading import Thread
from typing import Any

import msgspec
import pytest
from prometheus_client import Metric

from edge.call import Call, Handler
from edge.caller import Caller, Scope
from edge.errors import Forbidden, InvalidInput
from loadstats.ledger import Cause, Ledger, LegacyLedgerAdapter
from loadstats.ledger.age_ends import MOST, AgeEnds
from loadstats.ledger.census import SLICE_BUCKETS
from loadstats.ledger.limits import BUCKETS, SLICE
from loadstats.metric_ranks import MetricRanks
from loadstats.owner_metrics import OwnerCollector
from loadstats.owners import OwnerHandlers
from loadstats.shared_census import KEPT_SECONDS, SharedCensus

LIMITED = Caller("key gw", frozenset(Scope), ("mine-*",))


class Node:
    """The calls on one ledger, with a clock that a test moves."""

    def __init__(self, **options: Any) -> None:
        self.time = 100.0
        self.ledger = Ledger(**options)
        self.census = SharedCensus(self.ledger.censuses, now=lambda: self.time)
        handlers = OwnerHandlers(
            self.ledger, self.census, "n", now=lambda: self.time, wall_ns=lambda: round(self.time * 1e9)
        )
        self._handlers: dict[str, Handler] = {route.method: route.handler for route in handlers.routes()}

    def add(self, request_id: str, owner: str = "", cluster: str = "c", client: str = "127.0.0.1") -> None:
        self.ledger.add(request_id, cluster, "10.0.0.1", 1, self.time, 0, owner, client=client)

    def owners(self, query: str = "", caller: Caller | None = None) -> Any:
        return msgspec.json.decode(self._handlers["GET"](Call(query.encode(), b"", {}, caller=caller)))

    def names(self, query: str = "", caller: Caller | None = None) -> list[str]:
        return [each["owner"] for each in self.owners(query, caller)["owners"]]

    def end(self, caller: Caller | None = None, **body: Any) -> Any:
        return msgspec.json.decode(self._handlers["DELETE"](Call(b"", msgspec.json.encode(body), {}, caller=caller)))


def test_a_census_counts_what_a_recount_finds() -> None:
    node, random = Node(request_seconds=10_000), Random(7)
    ledger = node.ledger
    for number in range(3000):
        node.time += 1
        owner = random.choice(["", "gw-1", "gw-2", "gw-3"])
        node.add(f"r{number}", owner, random.choice(["a", "b"]), random.choice(["10.9.0.1", "10.9.0.2"]))
        if random.random() < 0.2:
            ledger.done(f"r{random.randrange(number + 1)}", node.time, 0)
        if random.random() < 0.2:
            ledger.first_token(f"r{random.randrange(2 * number + 1)}", node.time, 0)
    ledger.beat("gw-2", 1, node.time, 0)
    node.time += 5
    while ledger.lapse(node.time, 0):
        pass
    expected: dict[tuple[str, str, str], list[int]] = {}
    for record in ledger.requests.records():
        if record.engine is None or record.phase.name == "DONE":
            continue
        assert record.engine.cluster is not None
        owner = record.extras.owner.name if record.extras is not None and record.extras.owner is not None else ""
        client = record.client.name if record.client is not None else ""
        key = ("owner", owner) if owner else ("client" if client else "node", client)
        sums = expected.setdefault((*key, record.engine.cluster.name), [0, 0, record.since_tick])
        sums[0] += 1
        sums[1] += owner == "gw-2"
        sums[2] = min(sums[2], record.since_tick)
    found = {
        (each.kind, each.name, cluster): [tally.requests, tally.orphans, tally.oldest_tick]
        for each in node.census.whole().gateways
        for cluster, tally in each.clusters.items()
    }
    assert found == expected
    assert len(found) == 12
    assert {each["owner"]: each["lapsed"] for each in node.owners()["owners"]}["gw-2"]


def test_the_gateways_of_one_name_are_listed_alone() -> None:
    node = Node()
    for number, owner in enumerate(("gw-1", "gw-2", "gw-2")):
        node.add(f"r{number}", owner)
    node.add("r3", client="gw-2")
    found = node.owners("owner=gw-2")
    assert [(each["kind"], each["requests"]) for each in found["owners"]] == [("owner", 2), ("client", 1)]
    assert (found["total"], found["requests"]) == (2, 3)
    assert node.owners("owner=gw")["owners"] == []


def test_a_census_is_taken_in_slices() -> None:
    node = Node()
    for number in range(4 * SLICE):
        node.add(f"r{number}", "gw")
    walk, slices = node.ledger.censuses.take(node.time), 0
    while next(walk, walk) is not walk:
        slices += 1
    assert slices >= BUCKETS // SLICE_BUCKETS


def test_all_share_one_walk_and_its_census_is_kept_for_a_second() -> None:
    node = Node()
    node.add("r1", "gw")
    first, second = node.census.latest(), node.census.latest()
    walks: list[Generator[None, None, Any]] = [first, second]
    found: list[Any] = []
    while walks:
        for walk in list(walks):
            try:
                next(walk)
            except StopIteration as done:
                found.append(done.value[0])
                walks.remove(walk)
    assert found[0] is found[1]
    node.add("r2", "gw")
    node.time += KEPT_SECONDS / 2
    assert node.owners()["requests"] == 1
    assert node.owners()["age_seconds"] == KEPT_SECONDS / 2
    node.time += KEPT_SECONDS
    assert node.owners()["requests"] == 2


def test_a_census_ends_though_the_one_who_began_it_has_gone() -> None:
    node = Node()
    node.add("r1", "gw")
    begun = node.census.latest()
    next(begun)
    begun.close()
    assert node.owners()["requests"] == 1


def test_threads_that_ask_at_once_get_the_same_census() -> None:
    node = Node()
    for number in range(2000):
        node.add(f"r{number}", f"gw-{number % 7}")
    found: list[Any] = []
    threads = [Thread(target=lambda: found.append(node.census.whole())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(each) for each in found}) == 1


def test_the_leaking_gateway_comes_first_in_the_order_that_finds_it() -> None:
    node = Node(request_seconds=60)
    node.add("old", "slow")
    node.time += 30
    for number in range(3):
        node.add(f"b{number}", "busy")
    node.ledger.beat("silent", 5, node.time, round(node.time * 1e9))
    node.add("s", "silent")
    node.time += 10
    node.ledger.beat("alive", 50, node.time, round(node.time * 1e9))
    while node.ledger.lapse(node.time, 0):
        pass
    assert node.names("order=requests")[0] == "busy"
    assert node.names("order=oldest")[:2] == ["slow", "busy"]
    assert node.names("order=orphans")[0] == "silent"
    assert node.names("order=silent")[:2] == ["silent", "alive"]
    rows = {each["owner"]: each for each in node.owners()["owners"]}
    assert rows["slow"] == {
        "owner": "slow",
        "kind": "owner",
        "requests": 1,
        "oldest_seconds": 40,
        "orphans": 0,
        "heartbeat_seconds": None,
        "lapsed": False,
        "incarnation": "",
        "ended_by_age": 0,
    }
    assert (rows["silent"]["orphans"], rows["silent"]["heartbeat_seconds"], rows["silent"]["lapsed"]) == (1, 10, True)
    assert (rows["alive"]["requests"], rows["alive"]["oldest_seconds"]) == (0, None)
    node.time += 30
    while node.ledger.expire(node.time, 0):
        pass
    assert node.names("order=expired")[0] == "slow", "its only request is over, and the count is kept"
    assert node.owners("order=expired")["owners"][0]["ended_by_age"] == 1


def test_requests_without_an_owner_are_of_their_client_or_of_the_node_that_took_them() -> None:
    node = Node()
    node.add("r1", client="10.9.0.1")
    LegacyLedgerAdapter(node.ledger.replica).add("r2", "c", "10.0.0.1", 1, node.time, 0)
    assert {(each["kind"], each["owner"]) for each in node.owners()["owners"]} == {("client", "10.9.0.1"), ("node", "")}


@pytest.mark.parametrize("order", ["requests", "oldest", "orphans", "silent", "expired"])
def test_a_walk_page_by_page_meets_each_gateway_once_as_time_passes(order: str) -> None:
    node = Node()
    names = Counter(f"gw.{number}/ü" for number in range(25))
    for name in names:
        node.add(f"of {name}", name)
        node.time += 1
    found: Counter[str] = Counter()
    after = ""
    while True:
        page = node.owners(f"order={order}&limit=4&after={after}")
        found.update(each["owner"] for each in page["owners"])
        assert page["total"] == 25
        node.time += 3
        if page["next"] is None:
            break
        after = page["next"].encode().hex("%", 1)
        after = f"%{after}"
    assert found == names


def test_a_cluster_alone_counts_where_one_is_asked_for() -> None:
    node = Node()
    node.add("r1", "gw-1", "a")
    node.add("r2", "gw-1", "b")
    node.add("r3", "gw-2", "b")
    page = node.owners("cluster=a")
    assert [(each["owner"], each["requests"]) for each in page["owners"]] == [("gw-1", 1)]
    assert (page["total"], page["requests"]) == (1, 1)


def test_a_key_that_may_name_some_clusters_sees_those_alone() -> None:
    node = Node()
    node.add("r1", "gw-1", "mine-1")
    node.add("r2", "gw-1", "theirs")
    node.add("r3", "gw-2", "theirs")
    assert [(each["owner"], each["requests"]) for each in node.owners("", LIMITED)["owners"]] == [("gw-1", 1)]
    with pytest.raises(Forbidden):
        node.owners("cluster=theirs", LIMITED)
    with pytest.raises(Forbidden):
        node.end(LIMITED, owner="gw-1")
    assert node.ledger.counts().in_flight == 3


@pytest.mark.parametrize(
    ("query", "member"),
    [
        ("order=", "order"),
        ("order=name", "order"),
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=", "limit"),
        ("cluster=", "cluster"),
        ("after=x", "after"),
        ("after=%0A", "after"),
        ("after=1.engine.x", "after"),
        ("after=1.owner." + "x" * 300, "after"),
    ],
)
def test_a_wrong_query_is_refused_by_name(query: str, member: str) -> None:
    with pytest.raises(InvalidInput, match=f"^{member}: "):
        Node().owners(query)


def test_all_of_a_gateway_end_counted_first_and_only_once() -> None:
    node = Node()
    for number in range(300):
        node.add(f"r{number}", "gw-1")
        node.add(f"o{number}", "gw-2")
    assert node.end(owner="gw-1", dry_run=True) == {"requests": 300, "ended": 0}
    assert node.ledger.counts().in_flight == 600
    assert node.end(owner="gw-1") == {"requests": 300, "ended": 300}
    assert node.end(owner="gw-1") == {"requests": 0, "ended": 0}
    assert node.ledger.counts().ended_by_operator == 300
    record = node.ledger.find("r7")
    assert record is not None
    assert record.cause == Cause.OPERATOR
    assert node.names() == ["gw-2"], "the next look is not at the census from before"


def test_what_a_client_reported_without_an_owner_ends_too() -> None:
    node = Node()
    node.add("r1", client="10.9.0.1")
    node.add("r2", "gw", client="10.9.0.1")
    assert node.end(owner="10.9.0.1", kind="client") == {"requests": 1, "ended": 1}
    assert node.names() == ["gw"]


def test_the_counts_by_age_are_bounded() -> None:
    ends = AgeEnds()
    ends.count(("owner", "first"))
    for number in range(MOST):
        ends.count(("owner", f"gw-{number}"))
    assert len(ends.copy()) == MOST
    assert ("owner", "first") not in ends.copy()


def samples(families: list[Metric]) -> dict[tuple[str, str, str], float]:
    return {
        (each.name, each.labels["kind"], each.labels["gateway"]): each.value
        for family in families
        for each in family.samples
    }


def test_metrics_show_the_gateways_with_the_most_requests_and_the_sum_of_the_others() -> None:
    node = Node()
    for number in range(5):
        for request in range(number + 1):
            node.add(f"r{number}.{request}", f"gw-{number}")
    node.ledger.beat("gw-4", 30, node.time, round(node.time * 1e9))
    node.time += 7
    found = samples(list(OwnerCollector(node.census, 2, wall=lambda: node.time).collect()))
    name = "metadata_center_owner_"
    assert {key[1:]: value for key, value in found.items() if key[0] == f"{name}requests"} == {
        ("owner", "gw-4"): 5,
        ("owner", "gw-3"): 4,
        ("other", "other"): 6,
    }
    assert found[f"{name}oldest_seconds", "owner", "gw-4"] == 7
    assert found[f"{name}heartbeat_age_seconds", "owner", "gw-4"] == 7
    assert (f"{name}heartbeat_age_seconds", "owner", "gw-3") not in found
    assert found[f"{name}ended_by_age_total", "owner", "gw-4"] == 0


def test_what_is_shown_stays_until_another_has_twice_its_rank() -> None:
    ranks: MetricRanks[str] = MetricRanks(1)
    assert ranks.choose({"a": 10, "b": 9}) == {"a"}
    assert ranks.choose({"a": 10, "b": 12}) == {"a"}
    assert ranks.choose({"a": 0, "b": 100}) == {"b"}
