# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""An engine's page."""

from __future__ import annotations

import re
from time import monotonic

import pytest
from django.test import Client

from console import engine_past
from console.engine_past import COLUMN, Past, draw
from loadstats.ledger.cause import FAILED
from tests.unit.partial_node import WALL_NS, PartialNode


def page(status: int = 200, **query: str) -> str:
    answer = Client().get("/console/engine/", query, headers={"Accept": "text/html"})
    assert answer.status_code == status
    return answer.content.decode()


def test_it_shows_the_oldest_requests_first_with_their_gateway(node: PartialNode) -> None:
    now = monotonic()
    for number, ago in ((0, 90), (2, 50), (1, 5)):
        node.ledger.add(f"r-{number}", "c", "10.0.0.1:8000", 100, now - ago, WALL_NS, owner=f"gw-{number}")
    node.add("other", "c", "10.0.0.2")
    text = page(cluster="c", engine="10.0.0.1:8000")
    assert re.findall(r"<bdi>(r-\d)</bdi>", text) == ["r-0", "r-2", "r-1"]
    assert re.findall(r"<bdi>(gw-\d)</bdi>", text) == ["gw-0", "gw-2", "gw-1"]
    assert "other" not in text
    assert 'data-copy="r-0"' in text


def test_it_says_for_how_long_picks_leave_it_out_and_why(node: PartialNode) -> None:
    now = monotonic()
    for number, since in ((1, now - 90), (2, now - 50)):
        node.ledger.add(f"r-{number}", "c", "10.0.0.1", 1, since, WALL_NS)
        node.ledger.done(f"r-{number}", since + 20, WALL_NS, FAILED)
    node.add("other", "c", "10.0.0.1")
    assert "picks leave it out" not in page(cluster="c", engine="10.0.0.1")
    node.ledger.add("r-3", "c", "10.0.0.1", 1, now - 10, WALL_NS)
    node.ledger.done("r-3", now, WALL_NS, FAILED)
    assert re.search(
        r"It failed 3 times in a row: picks leave it out for another [45] s\.", page(cluster="c", engine="10.0.0.1")
    )


def test_ended_requests_are_left_out(node: PartialNode) -> None:
    node.add("over")
    node.ledger.done("over", 0.0, WALL_NS)
    node.add("first")
    node.ledger.first_token("first", 0.0, WALL_NS)
    text = page(cluster="c", engine="10.0.0.1")
    assert "over<" not in text
    assert "<td>decode</td>" in text


def test_it_shows_the_cache_and_the_other_clusters_that_know_it(node: PartialNode) -> None:
    node.add("r-1", "a", "2001:db8::1")
    node.add("r-2", "b", "2001:db8::1")
    node.kvcache.save("a", "2001:db8::1", list(range(70)), monotonic(), 1)
    node.kvcache.save("cached", "2001:db8::1", [1], monotonic(), 1)
    text = page(cluster="a", engine="2001:0DB8:0:0::1")
    assert "<dt>Blocks</dt><dd>70</dd>" in text
    assert "/console/engine/?cluster=b&amp;engine=2001%3Adb8%3A%3A1" in text
    assert "/console/engine/?cluster=cached&amp;engine=2001%3Adb8%3A%3A1" in text
    assert "/admin/loadstats/engine/?cluster=a&amp;ip=2001%3Adb8%3A%3A1" in text
    assert "by its cache alone" in page(cluster="cached", engine="2001:db8::1")


def test_of_many_clusters_that_know_it_some_are_listed_and_the_others_counted(node: PartialNode) -> None:
    for number in range(53):
        node.add(f"r-{number}", f"c-{number:02}")
    text = page(cluster="c-00", engine="10.0.0.1")
    assert text.count("/console/engine/?cluster=c-") == 50
    assert "and 2 more" in text


def test_an_unknown_engine_leads_to_the_search(node: PartialNode) -> None:
    assert "/console/search/?q=10.0.0.9" in page(404, cluster="c", engine="10.0.0.9")
    assert page(404)


def test_its_requests_are_a_file_too(node: PartialNode) -> None:
    node.add("=1+1")
    answer = Client().get("/console/engine/", {"cluster": "c", "engine": "10.0.0.1", "format": "csv"})
    assert answer["Content-Disposition"] == 'attachment; filename="requests-10.0.0.1.csv"'
    assert answer.getvalue().decode().splitlines()[1].startswith("'=1+1,c,10.0.0.1,prefill,")


def test_its_last_hour_is_drawn_with_a_gap_where_it_is_unknown() -> None:
    picture = draw([None, 0.0, 10.0, None, 5.0], 60)
    assert picture is not None
    assert picture.path == "M1 100h1L2 0h1M4 50h1"
    assert (picture.width, picture.minutes, picture.most) == (5, 5, 10.0)
    assert draw([None, None], 60) is None
    assert draw([], 60) is None
    idle = draw([0.0], 60)
    assert idle is not None
    assert idle.path == "M0 100h1"


@pytest.mark.parametrize(("known", "ranges", "minutes"), [(15, ["1h", "15m"], 15), (16, ["1h"], 60)])
def test_an_engine_of_a_few_minutes_is_drawn_in_small_steps(
    monkeypatch: pytest.MonkeyPatch, known: int, ranges: list[str], minutes: int
) -> None:
    asked = []

    def ask(path: str, expected: object, **query: str) -> Past:
        asked.append(query["range"])
        if query["range"] == "15m":
            return Past(10, {COLUMN: [1.0] * 90})
        return Past(60, {COLUMN: [None] * (60 - known) + [1.0] * known})

    monkeypatch.setattr(engine_past, "ask", ask)
    picture = engine_past.picture_of("c", "10.0.0.1")
    assert picture is not None
    assert (asked, picture.minutes) == (ranges, minutes)
