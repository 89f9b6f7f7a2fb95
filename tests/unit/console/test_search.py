# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The search over all that a node knows by name."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from console import search as module
from console.search import Findings, search
from edge.caller import Caller, Scope
from tests.unit.partial_node import WALL_NS, PartialNode

HTML = {"Accept": "text/html"}


@pytest.fixture
def known(node: PartialNode) -> PartialNode:
    node.add("r-1", "llama", "10.0.0.1:8000")
    node.add("r-2", "llama", "10.0.0.2")
    node.add("r-3", "qwen", "[2001:db8::1]:8000")
    node.ledger.add("r-4", "qwen", "10.0.0.2", 0, 0.0, WALL_NS, owner="gw-east-1")
    node.kvcache.save("cached", "10.9.9.9", [1, 2], 0.0, 1)
    return node


def find(node: PartialNode, typed: str, caller: Caller | None = None) -> Findings:
    return search(typed, node.ledger, node.kvcache, caller, now=lambda: 0.0, pause=lambda seconds: None)


def names(findings: Findings) -> list[tuple[str, str]]:
    return [(group.kind, hit.name) for group in findings.found for hit in group.hits]


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("r-1", [("requests", "r-1")]),
        ("10.0.0.1", [("engines", "10.0.0.1:8000")]),
        ("::ffff:10.0.0.1:8000", [("engines", "10.0.0.1:8000")]),
        ("2001:0db8:0::1", [("engines", "[2001:db8::1]:8000")]),
        ("2001:db8", [("engines", "[2001:db8::1]:8000")]),
        ("0.0.0.2", [("engines", "10.0.0.2"), ("engines", "10.0.0.2")]),
        ("10.9.9.9", [("engines", "10.9.9.9")]),
        ("LLA", [("clusters", "llama")]),
        ("east", [("gateways", "gw-east-1")]),
        ("nothing", []),
    ],
)
def test_a_thing_is_found_by_what_people_know_of_it(known: PartialNode, typed: str, found: list[Any]) -> None:
    assert names(find(known, typed)) == found


def test_one_exact_hit_leads_straight_there(known: PartialNode) -> None:
    for typed, address in (
        ("r-1", "/console/request/?id=r-1"),
        ("::ffff:10.0.0.1", "/console/engine/?cluster=llama&engine=10.0.0.1%3A8000"),
        ("llama", "/console/clusters/llama/"),
    ):
        answer = Client().get("/console/search/", {"q": typed})
        assert (answer.status_code, answer["Location"]) == (302, address)
    both = Client().get("/console/search/", {"q": "10.0.0.2"})
    assert both.status_code == 200
    assert b"cluster=llama" in both.content
    assert b"cluster=qwen" in both.content


def test_without_a_match_it_says_what_was_searched(known: PartialNode) -> None:
    text = Client().get("/console/search/", {"q": "<nothing>"}).content.decode()
    assert "No matches for" in text
    assert "&lt;nothing&gt;" in text
    assert "5 engines, 3 clusters and 1 gateway." in text


@pytest.mark.parametrize("typed", ["", " ", "x" * 300])
def test_nothing_to_search_for_is_a_page_too(known: PartialNode, typed: str) -> None:
    assert Client().get("/console/search/", {"q": typed}).status_code == 200


def test_the_answer_is_bounded_and_counts_the_rest(known: PartialNode, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_SHOWN", 3)
    for number in range(10):
        known.add(f"many-{number}", "many", f"10.7.0.{number}")
    (engines,) = find(known, "10.7.0.").found
    assert (len(engines.hits), engines.count, engines.more) == (3, 10, 7)


def test_other_threads_have_their_turn(known: PartialNode, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SLICE", 2)
    pauses: list[float] = []
    search("10", known.ledger, known.kvcache, None, now=lambda: 0.0, pause=pauses.append)
    assert len(pauses) >= 3


def test_a_key_of_some_clusters_finds_what_is_in_them(known: PartialNode) -> None:
    caller = Caller("key q", frozenset({Scope.READ}), clusters=("qwen",))
    assert names(find(known, "10.0.0", caller)) == [("engines", "10.0.0.2")]
    assert names(find(known, "r-1", caller)) == []
    assert names(find(known, "r-3", caller)) == [("requests", "r-3")]
    assert names(find(known, "llama", caller)) == []
    assert names(find(known, "east", caller)) == [("gateways", "gw-east-1")]
    other = Caller("key l", frozenset({Scope.READ}), clusters=("llama",))
    assert names(find(known, "east", other)) == []


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("search/?q=10.0.0", 200),
        ("engine/?cluster=qwen&engine=10.0.0.2", 200),
        ("engine/?cluster=llama&engine=10.0.0.2", 403),
        ("", 403),
    ],
)
def test_such_a_key_opens_pages_that_keep_to_its_clusters(
    known: PartialNode, monkeypatch: pytest.MonkeyPatch, path: str, status: int
) -> None:
    caller = Caller("key q", frozenset({Scope.READ}), clusters=("qwen",))
    doors = known.dispatcher.doors
    monkeypatch.setattr("edge.page_doors._scope", lambda doors, route: Scope.READ)
    monkeypatch.setattr(doors, "stranger_may", lambda *args: False)
    monkeypatch.setattr(doors, "caller", lambda *args: caller)
    assert Client().get(f"/console/{path}", headers=HTML).status_code == status
