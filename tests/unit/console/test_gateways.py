# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The page of the gateways."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from console.gateways import ShownGateway, lines
from tests.unit.partial_node import PartialNode

HTML = {"Accept": "text/html"}


def page(query: str = "", status: int = 200) -> str:
    response: Any = Client().get(f"/console/gateways/{query}", headers=HTML)
    assert response.status_code == status
    return str(response.content.decode())


def test_each_gateway_has_a_row_without_javascript(node: PartialNode) -> None:
    for number in range(3):
        node.ledger.add(f"r{number}", "c", "10.0.0.1", 1, 0.0, 0, "gw <1>")
    node.ledger.add("s", "c", "10.0.0.1", 1, 0.0, 0, client="10.9.0.7")
    text = page()
    assert "gw &lt;1&gt;" in text
    assert text.index("gw &lt;1&gt;") < text.index("10.9.0.7"), "the one with the most requests comes first"
    assert "/admin/loadstats/request/?owner=gw+%3C1%3E" in text
    assert "/admin/login/?next=/console/gateways/" in text.replace("%2F", "/")


def test_the_order_is_in_the_address_and_marked_in_the_heading(node: PartialNode) -> None:
    node.ledger.add("r", "c", "10.0.0.1", 1, 0.0, 0, "gw")
    text = page("?order=oldest&refresh=off")
    assert 'aria-sort="descending"><a href="?order=oldest&amp;refresh=off">Oldest</a>' in text
    assert 'href="?order=orphans&amp;refresh=off"' in text


def test_more_than_a_page_are_on_the_next_one(node: PartialNode) -> None:
    for number in range(101):
        node.ledger.add(f"r{number}", "c", "10.0.0.1", 1, 0.0, 0, f"gw-{number:03}")
    text = page()
    assert "gw-099" in text
    assert "gw-100" not in text
    assert "gw-100" in page("?after=-1.owner.gw-099")


def test_one_gateway_is_shown_by_its_name(node: PartialNode) -> None:
    for number in range(3):
        node.ledger.add(f"r{number}", "c", "10.0.0.1", 1, 0.0, 0, f"gw-{number}")
    text = page("?owner=gw-2&order=oldest")
    assert "gw-2" in text
    assert "gw-1" not in text
    assert 'href="?order=oldest">All gateways' in text
    assert "No gateway of this name has requests in flight" in page("?owner=gw")


def test_no_gateway_and_a_wrong_order_are_said_in_words(node: PartialNode) -> None:
    assert "No gateway has requests in flight." in page()
    assert "order: expected requests, oldest, orphans, silent, expired" in page("?order=name", 400)


@pytest.mark.parametrize(
    ("gateway", "words"),
    [
        (ShownGateway("g", "owner", 3, 1, 0, lapsed=True, oldest_seconds=1), "silent"),
        (ShownGateway("g", "owner", 3, 1, 0, oldest_seconds=1), "restarted"),
        (ShownGateway("g", "owner", 3, 0, 0, oldest_seconds=165), "old requests"),
        (ShownGateway("g", "owner", 3, 0, 0, oldest_seconds=164), ""),
        (ShownGateway("g", "owner", 0, 0, 0), "idle"),
    ],
)
def test_a_gateway_is_marked_with_what_is_most_pressing(gateway: ShownGateway, words: str) -> None:
    (line,) = lines([gateway], 165)
    assert line.words == words


def test_a_clusters_page_leads_to_its_gateways(node: PartialNode) -> None:
    node.add("r", "c d")
    assert "/console/gateways/?cluster=c+d" in Client().get("/console/clusters/c%20d/", headers=HTML).content.decode()


def test_times_are_short_enough_for_their_columns() -> None:
    (line,) = lines([ShownGateway("g", "owner", 3, 0, 0, oldest_seconds=7265, heartbeat_seconds=185)], 165)
    assert (line.oldest, line.heartbeat) == ("2 h", "3 min ago")
    (line,) = lines([ShownGateway("g", "owner", 3, 0, 0, oldest_seconds=0, heartbeat_seconds=0)], 165)
    assert (line.oldest, line.heartbeat) == ("1 s", "now")


def test_the_overview_leads_from_orphans_to_their_gateways(node: PartialNode) -> None:
    response: Any = Client().get("/console/", headers=HTML)
    assert 'href="/console/gateways/?order=orphans"' in response.content.decode()
