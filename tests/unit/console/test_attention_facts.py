# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What the attention strip is made of, gathered from a partial node."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from django.test import Client

from console import attention_facts
from console.attention_facts import Watch, facts
from console.gateway_look import GatewayLook
from runtime.notices.kind import Kind
from tests.unit.partial_node import PartialNode, in_place


@pytest.fixture
def node() -> Iterator[PartialNode]:
    with in_place(PartialNode()) as node:
        yield node


def test_clusters_are_added_up(node: PartialNode, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("console.attention_facts.time_ns", lambda: 1_800_000_000_000_000_000 + 164 * 10**9)
    for number, ip in enumerate(("10.0.0.1", "10.0.0.2", "10.0.0.2")):
        node.add(f"r{number}", "a/b", ip)
    (found,) = facts().clusters
    assert (found.name, found.address, found.engines, found.requests) == ("a/b", "/console/clusters/a%2Fb/", 2, 3)
    assert (found.hottest, found.most, found.stale_engines) == ("10.0.0.2", 2, 0)


def test_engines_without_news_are_stale(node: PartialNode, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("console.attention_facts.time_ns", lambda: 1_800_000_000_000_000_000 + 166 * 10**9)
    node.add("r1")
    node.add("r2")
    (found,) = facts().clusters
    assert (found.stale_engines, found.stale_requests) == (1, 2)


def test_facts_are_shared_for_a_second(node: PartialNode, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [100.0]
    monkeypatch.setattr("console.attention_facts.monotonic", lambda: clock[0])
    first = facts()
    node.add("r1")
    assert facts() is first
    clock[0] += attention_facts.KEPT_SECONDS
    assert len(facts().clusters) == 1


def test_a_ledger_of_many_is_walked_in_several_looks(node: PartialNode, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("console.attention_facts.monotonic", lambda: 61.0)
    monkeypatch.setattr("console.attention_facts.MOST_LOOKED", 10)
    for number in range(25):
        node.add(f"r{number}")
    node.ledger.first_token("r0", 0.0, 0)
    prefills = attention_facts.LongPrefills()
    counts = [prefills.count() for _ in range(6)]
    assert counts == sorted(counts)
    assert counts[0] < counts[-1] == 24


def test_requests_are_in_prefill_for_too_long_after_a_minute(
    node: PartialNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("console.attention_facts.monotonic", lambda: 59.0)
    node.add("r1")
    assert attention_facts.LongPrefills().count() == 0


def test_a_node_without_faults_says_so(node: PartialNode) -> None:
    assert "Nothing needs attention" in Client().get("/console/", headers={"Accept": "text/html"}).content.decode()
    assert json.loads(Client().get("/console/attention/").content)["data"] == {"items": [], "stale": {}}


def test_the_strip_is_in_the_page_without_scripts(node: PartialNode, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("console.attention_facts.time_ns", lambda: 1_800_000_000_000_000_000 + 3600 * 10**9)
    monkeypatch.setattr("console.attention_facts.monotonic", lambda: 1.0)
    node.add("r1", "<c>")
    page = Client().get("/console/", headers={"Accept": "text/html"}).content.decode()
    assert "1 engine holds 1 request without news for 2 min 45 s: the gateway may be gone" in page
    assert 'href="/console/clusters/%3Cc%3E/?only=stale"' in page
    data = json.loads(Client().get("/console/attention/").content)["data"]
    assert data["stale"] == {"<c>": 1}
    assert [item["key"] for item in data["items"]] == ["stale"]


def test_gateways_are_added_up_and_the_busiest_are_named(node: PartialNode) -> None:
    for number in range(6):
        for request in range(number + 1):
            node.ledger.add(f"{number}.{request}", "c", "10.0.0.1", 1, 0.0, 0, f"gw {number}")
    node.ledger.add("alone", "c", "10.0.0.1", 1, 0.0, 0, client="10.9.0.7")
    found = facts().gateways
    assert (found.count, found.requests) == (7, 22)
    assert [(each.name, each.address, each.requests) for each in found.busiest] == [
        (f"gw {number}", f"/console/gateways/?owner=gw+{number}", number + 1) for number in (5, 4, 3)
    ]


def test_a_large_census_is_taken_in_several_looks(node: PartialNode, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("console.gateway_look.MOST_SLICES", 5)
    node.ledger.add("r", "c", "10.0.0.1", 1, 0.0, 0, "gw")
    look = GatewayLook()
    counts = [look.facts().count for _ in range(8)]
    assert counts[0] == 0
    assert counts[-1] == 1


def test_cold_starts_of_the_last_hour_are_facts(node: PartialNode) -> None:
    node.notices.report(Kind.COLD_STARTED, "Node n is cold")
    (found,) = facts().colds
    assert found.node == node.notices.node
    assert found.seconds < 60
    assert not found.ended
    node.notices.report(Kind.COLD_ENDED, "Node n is no longer cold")
    assert [each.ended for each in Watch().facts().colds] == [True]
