# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What the strip of the overview says of facts."""

from __future__ import annotations

import pytest

from console.attention import (
    HOT_REQUESTS,
    LEAK_REQUESTS,
    RULES,
    BusyGateway,
    Cap,
    ClusterFacts,
    Facts,
    GatewayFacts,
    Item,
    PastCold,
    attention,
    pressing,
)
from console.nodes import Peer, PeersView
from runtime.health import PartReport


def worker(state: str) -> Facts:
    return Facts(parts=(PartReport(name="worker", state=state, since="", detail="", essential=False),))


def cluster(name: str, **numbers: int) -> ClusterFacts:
    return ClusterFacts(name, f"/console/clusters/{name}/", hottest="10.0.0.1", **numbers)


def peers(*found: Peer) -> Facts:
    return Facts(peers=PeersView(peers=found))


def gateways(most: int, oldest: int, count: int = 4) -> Facts:
    """A gateway with most requests, the others with 10 each."""
    busy = BusyGateway("gw-7", "/console/gateways/?owner=gw-7", most, oldest)
    return Facts(gateways=GatewayFacts(count, most + 10 * (count - 1), (busy,)), stale_seconds=165)


CASES: list[tuple[Facts, str, str, int, str]] = [
    (worker("failed"), "health", "bad", 1, "worker is failed on this node"),
    (worker("degraded"), "health", "warn", 1, "worker is degraded on this node"),
    (peers(Peer("p", "lost", last_error="[Errno 111] refused")), "lost", "bad", 1, "p is lost: refused"),
    (
        peers(*(Peer(name, "lost") for name in "abcde")),
        "lost",
        "bad",
        5,
        "a, b, c and 2 more are lost: no answer",
    ),
    (peers(Peer("p", "connected", lag_seconds=2.0)), "lag", "warn", 1, "p is behind: this node's events arrive late"),
    (
        peers(Peer("p", "connected", pulling_buckets=3)),
        "diverging",
        "warn",
        1,
        "This node and p are out of sync; repairing",
    ),
    (
        peers(Peer("p", "connected", joined=False)),
        "cold",
        "warn",
        1,
        "p is still catching up: numbers there are incomplete",
    ),
    (
        Facts(caps=(Cap("requests", 80, 100, "[Load] MaxRequests", "/a"),)),
        "caps",
        "warn",
        1,
        "Close to a cap: requests 80 % of 100 ([Load] MaxRequests)",
    ),
    (
        Facts(caps=(Cap("requests", 100, 100, "[Load] MaxRequests", "/a"),)),
        "caps",
        "bad",
        1,
        "Close to a cap: requests 100 % of 100 ([Load] MaxRequests)",
    ),
    (
        Facts(refused_calls=1200),
        "refused",
        "warn",
        1200,
        "1,200 calls of connected clients refused: over [Quotas] CallsPerSecond",
    ),
    (
        Facts(clusters=(cluster("c", orphaned_engines=4, orphaned_requests=20),), orphan_seconds=30),
        "orphaned",
        "warn",
        20,
        "20 requests on 4 engines orphaned: the gateway is silent. They expire 30 s after that",
    ),
    (
        Facts(clusters=(cluster("c", stale_engines=1, stale_requests=7),), stale_seconds=165),
        "stale",
        "warn",
        1,
        "1 engine holds 7 requests without news for 2 min 45 s: the gateway may be gone",
    ),
    (
        Facts(clusters=(cluster("c", engines=3, requests=16, most=12),)),
        "imbalance",
        "warn",
        1,
        "10.0.0.1 of c has 12 requests, 6.0 times the mean of the other engines",
    ),
    (
        gateways(40, 200),
        "leak",
        "warn",
        1,
        "Gateway gw-7 holds 40 requests, 4.0 times the mean of the other gateways, the oldest for 3 min 20 s: "
        "it may not report their ends",
    ),
    (
        Facts(colds=(PastCold("n2", 600), PastCold("n2", 900))),
        "past_cold",
        "note",
        1,
        "n2 started cold 10 min ago: charts of that time may lack requests",
    ),
    (
        Facts(colds=(PastCold("n2", 600), PastCold("n1", 900))),
        "past_cold",
        "note",
        2,
        "n2, n1 started cold in the last hour, the last one 10 min ago: charts of that time may lack requests",
    ),
    (
        Facts(colds=(PastCold("n2", 60),), expire_seconds=600),
        "cold",
        "warn",
        1,
        "n2 is cold, started 1 min ago: requests may be missing there",
    ),
    (Facts(long_prefills=2), "prefill", "warn", 2, "2 requests in prefill for more than 60 s: prefills take seconds"),
]


@pytest.mark.parametrize(("facts", "key", "level", "count", "words"), CASES)
def test_a_rule_has_its_sentence(facts: Facts, key: str, level: str, count: int, words: str) -> None:
    (item,) = attention(facts)
    assert (item.key, item.level, item.count, item.words) == (key, level, count, words)
    assert item.places


def test_every_rule_has_a_case() -> None:
    for rule in RULES:
        assert any(rule(facts) for facts, *_ in CASES), rule.__name__


def test_a_node_without_faults_needs_no_attention() -> None:
    even = cluster("c", engines=3, requests=9, most=4)
    cap = Cap("requests", 79, 100, "[Load] MaxRequests", "/a")
    assert attention(Facts(clusters=(even,), caps=(cap,), peers=PeersView(peers=(Peer("p", "connected"),)))) == []


def test_a_cold_node_says_since_when() -> None:
    (item,) = attention(Facts(peers=PeersView(cold_since="2026-11-23T13:22:03.446Z", joined=False)))
    assert item.count == 1
    assert "(2026-11-23 13:22:03 UTC). This node is still catching up" in item.words


@pytest.mark.parametrize(
    ("engines", "requests", "most", "hot"),
    [
        (3, HOT_REQUESTS - 1, HOT_REQUESTS - 1, False),  # too few to say
        (2, HOT_REQUESTS, HOT_REQUESTS, True),  # the other one is idle
        (1, 100, 100, False),  # there is no other
        (3, 50, 30, True),
        (3, 51, 30, False),  # 2.9 times the mean of the others
    ],
)
def test_an_engine_is_hot_that_has_three_times_the_mean_of_the_others(
    engines: int, requests: int, most: int, hot: bool
) -> None:
    facts = Facts(clusters=(cluster("c", engines=engines, requests=requests, most=most),))
    assert bool(attention(facts)) is hot


def test_what_is_bad_comes_first_and_links_lead_to_the_worst() -> None:
    found = tuple(cluster(f"c{number}", stale_engines=number, stale_requests=number) for number in range(1, 6))
    facts = Facts(clusters=found, caps=(Cap("engines", 5, 5, "[Load] MaxEngines", "/admin/loadstats/engine/"),))
    items: list[Item] = attention(facts)
    assert [item.level for item in items] == ["bad", "warn"]
    assert [place.address for place in items[1].places] == [
        f"/console/clusters/c{number}/?only=stale" for number in (5, 4, 3)
    ]
    assert items[1].count == 15


@pytest.mark.parametrize(
    "facts",
    [
        gateways(29, 200),  # not three times the mean
        gateways(40, 164),  # busy, and no old requests
        gateways(40, 200, count=2),  # one of two
        Facts(gateways=GatewayFacts(30, LEAK_REQUESTS - 1, (BusyGateway("gw", "/", LEAK_REQUESTS - 1, 200),))),
        Facts(peers=PeersView("n1@2a", cold_since=None), colds=()),
    ],
)
def test_a_busy_gateway_is_not_a_leak(facts: Facts) -> None:
    assert attention(facts) == []


@pytest.mark.parametrize(
    ("cold", "key"),
    [
        (PastCold("n2", 599), "cold"),
        (PastCold("n2", 600), "past_cold"),  # what it lacked has expired
        (PastCold("n2", 60, ended=True), "past_cold"),  # a peer has filled it
    ],
)
def test_a_cold_start_needs_attention_until_it_is_over_and_is_a_note_from_then_on(cold: PastCold, key: str) -> None:
    (item,) = attention(Facts(colds=(cold, PastCold("n2", 3000)), expire_seconds=600))
    assert item.key == key
    assert pressing([item]) == (key == "cold")


def test_notes_come_last() -> None:
    facts = Facts(colds=(PastCold("n2", 60, ended=True),), refused_calls=1, parts=worker("failed").parts)
    assert [item.level for item in attention(facts)] == ["bad", "warn", "note"]


def test_a_node_that_is_cold_now_has_one_line() -> None:
    now = Facts(peers=PeersView("n1@2a", cold_since="2026-01-01T00:00:00Z"), colds=(PastCold("n1", 60),))
    assert [item.key for item in attention(now)] == ["cold"]
