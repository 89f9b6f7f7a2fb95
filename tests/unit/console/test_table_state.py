# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What is sorted and filtered, by the URL."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client

from console.table_state import TableState
from tests.unit.partial_node import WALL_NS, PartialNode


def engines(query: str, path: str = "/console/clusters/c/") -> list[str]:
    text = Client().get(f"{path}?{query}", headers={"Accept": "text/html"}).content.decode()
    return re.findall(r'<th scope="row"[^>]*><a href="[^"]*">(?:<bdi>)?([^<]+)<', text.partition("<template")[0])


@pytest.fixture
def known(node: PartialNode) -> PartialNode:
    node.add("r1", "c", "10.0.0.1", 900)
    for number in range(2, 4):
        node.add(f"r{number}", "c", "10.0.0.2", 10)
    node.add("r4", "c", "10.0.0.10", 500)
    node.ledger.done("r4", 0.0, WALL_NS)
    return node


@pytest.mark.parametrize(
    ("query", "order"),
    [
        ("", ["10.0.0.2", "10.0.0.1", "10.0.0.10"]),
        ("sort=prompt", ["10.0.0.1", "10.0.0.2", "10.0.0.10"]),
        ("sort=prompt&order=asc", ["10.0.0.10", "10.0.0.2", "10.0.0.1"]),
        ("sort=name&order=desc", ["10.0.0.2", "10.0.0.10", "10.0.0.1"]),
        ("sort=nonsense", ["10.0.0.2", "10.0.0.1", "10.0.0.10"]),
        ("filter=::ffff:10.0.0.2", ["10.0.0.2"]),
        ("filter=0.1&sort=name", ["10.0.0.1", "10.0.0.10"]),
        ("only=idle", ["10.0.0.10"]),
        ("only=busy&sort=requests&order=asc", ["10.0.0.1", "10.0.0.2"]),
        ("only=orphaned", []),
        ("only=nonsense&order=nonsense", ["10.0.0.2", "10.0.0.1", "10.0.0.10"]),
    ],
)
def test_a_clusters_table_is_as_its_address_says(known: PartialNode, query: str, order: list[str]) -> None:
    assert engines(query) == order


def test_the_overview_is_as_its_address_says(known: PartialNode) -> None:
    known.add("x1", "a-big", "10.1.0.1")
    known.add("x2", "a-big", "10.1.0.2")
    known.add("x3", "a-big", "10.1.0.2")
    known.add("x4", "a-big", "10.1.0.2")
    assert engines("sort=requests", "/console/") == ["a-big", "c"]
    assert engines("sort=requests&order=asc", "/console/") == ["c", "a-big"]
    assert engines("sort=name&order=desc", "/console/") == ["c", "a-big"]
    assert engines("filter=BIG", "/console/") == ["a-big"]


def test_a_filter_is_bounded() -> None:
    query: Any = {"filter": "x" * 1000}
    assert len(TableState.of(query).filter) == 256


def test_a_paused_page_stays_as_it_is(known: PartialNode) -> None:
    text = Client().get("/console/?paused=1&filter=c", headers={"Accept": "text/html"}).content.decode()
    assert "http-equiv" not in text
    assert 'aria-pressed="true"' in text
    assert 'href="?filter=c">Resume' in text
    assert 'value="c"' in text


@pytest.mark.parametrize(("cookie", "media"), [("dark", "all"), ("light", "not all")])
def test_the_server_renders_the_theme_that_was_chosen(node: PartialNode, cookie: str, media: str) -> None:
    client = Client()
    client.cookies["theme"] = cookie
    text = client.get("/console/", headers={"Accept": "text/html"}).content.decode()
    assert f'data-theme="{cookie}"' in text
    assert f'media="{media}"' in text


def test_any_other_theme_is_the_systems(node: PartialNode) -> None:
    client = Client()
    client.cookies["theme"] = '"><script>'
    text = client.get("/console/", headers={"Accept": "text/html"}).content.decode()
    assert "data-theme" not in text
    assert 'media="(prefers-color-scheme: dark)"' in text
