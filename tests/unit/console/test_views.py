# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The pages of the console, and the front page."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.contrib.staticfiles import finders
from django.test import Client
from django.urls import reverse

from console import views
from metadata_center import __version__
from metadata_center.pages import CONTENT_SECURITY_POLICY
from tests.unit.partial_node import PartialNode

HTML = {"Accept": "text/html"}

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "a/b",
    "/",
    "a//b/",
    "../admin",
    "a/../../b",
    "a\nb",
    "a\r\nX-Evil: 1",
    "?page=2",
    "#",
    "%2F",
    "%",
    "{{ 7 }}",
    " ",
    "\u202egpj",
    "模型",
    "\x00",
    "x" * 256,
)


def page(target: str, status: int = 200) -> str:
    response: Any = Client().get(target, headers=HTML)
    assert response.status_code == status
    assert response["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
    assert "no-store" in response["Cache-Control"]
    return str(response.content.decode())


def links(text: str) -> list[str]:
    return [link.replace("&amp;", "&") for link in re.findall(r'href="([^"]*)"', text)]


def test_the_front_page_tells_a_program_what_there_is(node: PartialNode) -> None:
    response = Client().get("/")
    assert response["Content-Type"] == "application/json; charset=utf-8"
    data = response.json()["data"]
    assert (data["name"], data["version"], data["node"]) == ("Metadata Center", __version__, "10.0.0.1:8080")
    assert data["status"] == "ready"
    assert data["links"]["profiling"] == "http://127.0.0.1:8081/debug/pprof/"


@pytest.mark.parametrize("profiling", [True, False])
def test_the_front_page_shows_a_person_the_state_and_the_links(node: PartialNode, profiling: bool) -> None:
    if not profiling:
        node.profiling = None
    text = page("/")
    assert __version__ in text
    assert '<span class="state ready">ready</span>' in text
    assert '<th scope="row">worker</th>' in text
    assert ("/debug/pprof/" in text) is profiling


@pytest.mark.django_db
def test_every_link_of_the_front_page_leads_somewhere(node: PartialNode) -> None:
    for link in links(page("/")):
        if link.startswith("/static/"):
            assert finders.find(link.removeprefix("/static/"))
        elif link.startswith("/"):
            assert Client().get(link, headers=HTML).status_code not in {404, 500}, link


def test_nothing_on_a_page_comes_from_elsewhere(node: PartialNode) -> None:
    node.add("r")
    for target in ("/", "/console/", "/console/c/", "/v1/load/stats", "/log/level"):
        loaded = re.findall(r'(?:src|action)="([^"]*)"', page_of_any_status(target))
        assert all(urlsplit(each).netloc == "" for each in loaded)
        assert " style=" not in page_of_any_status(target)


def page_of_any_status(target: str) -> str:
    return str(Client().get(target, headers=HTML).content.decode())


@pytest.mark.parametrize("target", ["/", "/console/", "/console/c/"])
def test_pages_are_only_read(node: PartialNode, target: str) -> None:
    node.add("r")
    response = Client(enforce_csrf_checks=True).post(target, {})
    assert (response.status_code, response["Allow"]) == (405, "GET, HEAD")
    assert response.json()["error"]["code"] == 40501000
    assert Client().head(target).status_code == 200


def test_an_empty_console_says_how_clusters_appear(node: PartialNode) -> None:
    assert "No cluster has an engine yet." in page("/console/")


def test_the_overview_shows_each_clusters_sums(node: PartialNode) -> None:
    for request in range(3):
        node.add(f"a{request}", "alpha", "10.0.0.1", 500)
    node.add("a9", "alpha", "10.0.0.2", 1)
    node.ledger.done("a9", 0.0, 0)
    node.add("b", "beta")
    node.ledger.done("b", 0.0, 0)
    text = page("/console/")
    assert text.index("alpha") < text.index("beta")
    row = text.partition('href="/console/alpha/"')[2].partition("</tr>")[0]
    assert re.findall(r'<td class="number">(.*?)</td>', row) == ["2", "3", "1,500", "2.00"]
    assert "idle" in text.partition('href="/console/beta/"')[2].partition("</tr>")[0]


def test_a_clusters_page_shows_the_busiest_engine_first(node: PartialNode) -> None:
    node.add("r1", ip="10.0.0.1", prompt_length=1000)
    node.add("r2", ip="10.0.0.2", prompt_length=10)
    node.add("r3", ip="10.0.0.2", prompt_length=240)
    text = page("/console/c/")
    assert re.findall(r'<th scope="row" class="mono">(.*?)</th>', text) == ["10.0.0.2", "10.0.0.1"]
    assert re.findall(r'<rect width="(.*?)"', text) == ["100.0", "25.0", "50.0", "100.0"]


def test_a_cluster_without_engines_is_404_and_may_be_watched(node: PartialNode) -> None:
    text = page("/console/nobody/", status=404)
    assert "This cluster has no engines." in text
    assert 'http-equiv="refresh"' in text


@pytest.mark.parametrize("name", HOSTILE)
def test_a_cluster_of_any_name_has_a_page_and_stays_text(node: PartialNode, name: str) -> None:
    node.add("r", cluster=name, ip="10.9.8.7")
    overview = page("/console/")
    (address,) = {link for link in links(overview) if link.startswith("/console/")} - {"/console/"}
    assert "/" not in address.removeprefix("/console/").removesuffix("/")
    text = page(address)
    assert "10.9.8.7" in text
    for shown in (overview, text):
        assert "<script>alert" not in shown
        assert "<img src=x" not in shown


def test_a_plain_name_may_be_reversed() -> None:
    assert reverse("console:cluster", args=["qwen"]) == views.address("qwen") == "/console/qwen/"


def test_pages_hold_two_hundred_engines(node: PartialNode) -> None:
    for number in range(450):
        node.add(f"r{number}", ip=f"10.0.{number // 250}.{number % 250}")
    first, last = page("/console/c/"), page("/console/c/?page=3")
    assert first.count('scope="row"') == 200
    assert last.count('scope="row"') == 50
    assert "401 to 450 of 450" in last
    assert "?page=2" in links(first)
    assert "?page=2" in links(last)
    assert page("/console/c/?page=nonsense").count('scope="row"') == 200
    assert page("/console/c/?page=99").count('scope="row"') == 50


def test_pages_hold_two_hundred_clusters(node: PartialNode, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in reversed(range(250)):
        node.add(f"r{number}", cluster=f"c{number:03}")
    text = page("/console/")
    assert text.count('scope="row"') == 200
    assert text.index("c000") < text.index("c199")
    assert page("/console/?page=2").count('scope="row"') == 50
    monkeypatch.setattr(views, "MOST_SORTED", 249)
    assert page("/console/").index("c249") < page("/console/").index("c248")


def test_a_page_refreshes_until_it_is_told_not_to(node: PartialNode) -> None:
    node.add("r")
    for target in ("/console/", "/console/c/"):
        moving = page(target)
        assert '<meta http-equiv="refresh" content="2">' in moving
        assert "?refresh=off" in links(moving)
        still = page(f"{target}?refresh=off")
        assert "http-equiv" not in still
        assert "?" in links(still)
        assert "?page=2" in links(page(f"{target}?page=2&refresh=off"))
