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

from console import attention_facts, views
from console.addresses import cluster_address
from console.calls import ask
from console.events import EventsView
from console.nodes import Peer, PeersView
from edge.errors import NotFound
from edge.hashed_static import plain_name
from edge.pages import CONTENT_SECURITY_POLICY
from metadata_center import __version__
from runtime.notices.kind import Kind
from tests.unit.partial_node import WALL_NS, PartialNode, in_place

HTML = {"Accept": "text/html"}

PAGES = ("/console/", "/console/clusters/c/", "/console/nodes/", "/console/request/?id=r")

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


def rows(text: str) -> int:
    """Of the table, without the pattern that the script makes rows from."""
    return text.partition("<template")[0].count('scope="row"')


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
    with in_place(node):
        text = page("/")
    assert __version__ in text
    assert '<span class="state ready">ready</span>' in text
    assert '<th scope="row">worker</th>' in text
    assert ("/debug/pprof/" in text) is profiling


@pytest.mark.django_db
def test_every_link_of_the_front_page_leads_somewhere(node: PartialNode) -> None:
    for link in links(page("/")):
        if link.startswith("/static/"):
            assert finders.find(plain_name(link.removeprefix("/static/")) or "")
        elif link.startswith("/"):
            assert Client().get(link, headers=HTML).status_code not in {404, 500}, link


def test_nothing_on_a_page_comes_from_elsewhere(node: PartialNode) -> None:
    node.add("r")
    for target in ("/", *PAGES, "/v1/load/stats", "/log/level"):
        loaded = re.findall(r'(?:src|action)="([^"]*)"', page_of_any_status(target))
        assert all(urlsplit(each).netloc == "" for each in loaded)
        assert " style=" not in page_of_any_status(target)


def page_of_any_status(target: str) -> str:
    return str(Client().get(target, headers=HTML).content.decode())


@pytest.mark.parametrize("target", ["/", *PAGES])
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
    row = text.partition('href="/console/clusters/alpha/"')[2].partition("</tr>")[0]
    assert re.findall(r'<td class="number[^"]*">(.*?)</td>', row) == [
        "2",
        "3",
        "3",
        "1,500",
        "–",
        "–",
        "–",
        "",
        "2.00",
    ]
    assert 'href="/console/clusters/alpha/?filter=10.0.0.1"' in row
    assert "idle" in text.partition('href="/console/clusters/beta/"')[2].partition("</tr>")[0]


def test_a_clusters_page_shows_the_busiest_engine_first(node: PartialNode) -> None:
    node.add("r1", ip="10.0.0.1", prompt_length=1000)
    node.add("r2", ip="10.0.0.2", prompt_length=10)
    node.add("r3", ip="10.0.0.2", prompt_length=240)
    text = page("/console/clusters/c/")
    assert re.findall(r'<th scope="row" class="mono"><a href=".*?">(.*?)</a></th>', text) == ["10.0.0.2", "10.0.0.1"]
    assert re.findall(r'<rect width="(.*?)"', text) == ["100.0", "25.0", "50.0", "100.0"]


def test_tokens_and_orphans_are_told_where_there_are_any(node: PartialNode, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attention_facts, "monotonic", lambda: 0.0)
    node.add("r1", prompt_length=1000)
    assert "alarm" not in page("/console/clusters/c/") + page("/console/")
    node.ledger.add("r2", "c", "10.0.0.2", 10, 0.0, WALL_NS, owner="gw")
    node.ledger.tokens("r2", 1200, 34, 0.0, WALL_NS)
    node.ledger.beat("gw", 1, 0.0, WALL_NS)
    while node.ledger.lapse(5.0, WALL_NS):
        pass
    text = page("/console/clusters/c/")
    line = text.partition(">10.0.0.2</a>")[2].partition("</tr>")[0]
    assert re.findall(r'<td class="number[^"]*">(.*?)</td>', line)[:3] == ["1", "1,234", '<b class="alarm">1</b>']
    assert '<span class="orphaned">orphaned</span>' in line
    assert "1,234" in page("/console/")
    assert '<b class="alarm">1</b>' in page("/console/")
    looked_up = page("/console/request/?id=r2")
    assert "Orphaned for 0 s: its gateway gw sends no heartbeats. Ends in 30 s." in looked_up
    assert "<dt>Orphaned for</dt>" in looked_up
    assert "not named" in page("/console/request/?id=r1")


def test_a_cluster_without_engines_is_404_and_may_be_watched(node: PartialNode) -> None:
    text = page("/console/clusters/nobody/", status=404)
    assert "This cluster has no engines." in text
    assert 'http-equiv="refresh"' in text


@pytest.mark.no_cover
@pytest.mark.parametrize("name", HOSTILE)
def test_a_cluster_of_any_name_has_a_page_and_stays_text(node: PartialNode, name: str) -> None:
    node.add("r", cluster=name, ip="10.9.8.7")
    overview = page("/console/")
    (address,) = {link.partition("?")[0] for link in links(overview) if link.startswith("/console/clusters/")}
    assert "/" not in address.removeprefix("/console/clusters/").removesuffix("/")
    text = page(address)
    assert "10.9.8.7" in text
    for shown in (overview, text):
        assert "<script>alert" not in shown
        assert "<img src=x" not in shown


def test_a_plain_name_may_be_reversed() -> None:
    assert reverse("console:cluster", args=["qwen"]) == cluster_address("qwen") == "/console/clusters/qwen/"


@pytest.mark.no_cover
def test_pages_hold_two_hundred_engines(node: PartialNode) -> None:
    for number in range(450):
        node.add(f"r{number}", ip=f"10.0.{number // 250}.{number % 250}")
    first, last = page("/console/clusters/c/"), page("/console/clusters/c/?page=3")
    assert rows(first) == 200
    assert rows(last) == 50
    assert "401 to 450 of 450" in last
    assert "?page=2" in links(first)
    assert "?page=2" in links(last)
    assert rows(page("/console/clusters/c/?page=nonsense")) == 200
    assert rows(page("/console/clusters/c/?page=99")) == 50


def test_pages_hold_two_hundred_clusters(node: PartialNode, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in reversed(range(250)):
        node.add(f"r{number}", cluster=f"c{number:03}")
    text = page("/console/")
    assert rows(text) == 200
    assert text.index("c000") < text.index("c199")
    assert rows(page("/console/?page=2")) == 50
    monkeypatch.setattr(views, "MOST_SORTED", 249)
    assert page("/console/").index("c249") < page("/console/").index("c248")


@pytest.mark.parametrize("target", ["/console/", "/console/clusters/c/", "/console/nodes/"])
def test_a_page_refreshes_until_it_is_told_not_to(node: PartialNode, target: str) -> None:
    node.add("r")
    moving = page(target)
    assert '<noscript><meta http-equiv="refresh" content="2"></noscript>' in moving
    assert '<script type="module"' in moving
    assert "?paused=1" in links(moving)
    still = page(f"{target}?refresh=off")
    assert "http-equiv" not in still
    scripts = re.findall('<script type="module" src="/static/([^"]*)">', still)
    assert [plain_name(script) for script in scripts] == ["console/page.js"]
    assert "?" in links(still)
    assert "?page=2" in links(page(f"{target}?page=2&refresh=off"))


@pytest.mark.parametrize("name", ["nodes", "request", "clusters", "a/b"])
def test_clusters_that_are_called_like_pages_have_their_own(node: PartialNode, name: str) -> None:
    node.add("r", cluster=name, ip="10.9.8.7")
    assert "10.9.8.7" in page(cluster_address(name))


def test_addresses_of_before_lead_to_the_clusters(node: PartialNode) -> None:
    for before, now in (("/console/qwen/", "/console/clusters/qwen/"), ("/console/clusters/", "/console/")):
        response: Any = Client().get(before, headers=HTML)
        assert (response.status_code, response["Location"]) == (302, now)


def test_a_stale_engine_is_marked(node: PartialNode, monkeypatch: pytest.MonkeyPatch) -> None:
    node.add("r")
    monkeypatch.setattr(views, "time_ns", lambda: WALL_NS + 1_000_000_000_000)
    assert '<span class="stale">stale</span>' in page("/console/clusters/c/")


def test_a_node_that_is_alone_says_so(node: PartialNode) -> None:
    text = page("/console/nodes/")
    assert "This is a single node" in text
    assert '<th scope="row">worker</th>' in text


def test_peers_are_shown_with_what_is_wrong(node: PartialNode, monkeypatch: pytest.MonkeyPatch) -> None:
    lost = Peer("10.0.0.2:8080", state="lost", origin="10.0.0.2:8080@2a", last_error="[Errno 111] refused")
    view = PeersView("10.0.0.1:8080@1", vector={"10.0.0.2:8080@2a": 1234, "10.0.0.1:8080@1": 7}, peers=(lost,))
    for module in (views, attention_facts):
        answers = {PeersView: view, EventsView: EventsView()}
        monkeypatch.setattr(module, "ask", lambda path, expected, answers=answers, **query: answers.get(expected, []))
    text = page("/console/nodes/")
    assert '<p class="bad">10.0.0.2:8080 is lost: refused</p>' in text
    assert 'href="http://10.0.0.2:8080/console/nodes/"' in text
    assert ">1,234<" in text
    assert "10.0.0.2:8080 is lost: refused" in page("/console/")


def test_a_request_is_looked_up(node: PartialNode) -> None:
    node.add("r-7", cluster="a/b", ip="10.9.8.7", prompt_length=1200)
    text = page("/console/request/?id=r-7")
    assert "In prefill: 1 request and a prompt of 1,200" in text
    assert "/console/clusters/a%2Fb/" in links(text)
    assert 'aria-current="step">Sent to the engine' in text


@pytest.mark.parametrize(
    ("request_id", "words"),
    [("nobody", "This node has no request"), ("x" * 257, "expected 1 to 256"), ("", "Enter a request id")],
)
def test_a_request_that_is_unknown_is_an_answer(node: PartialNode, request_id: str, words: str) -> None:
    assert words in page(f"/console/request/?id={request_id}")


def test_an_id_stays_text(node: PartialNode) -> None:
    assert "<script>alert" not in page("/console/request/?id=%22%3E%3Cscript%3Ealert(1)%3C/script%3E")


def test_a_call_that_no_handler_has_is_not_found(node: PartialNode) -> None:
    with pytest.raises(NotFound):
        ask("/nowhere", dict)


def test_events_are_in_the_page_and_their_names_stay_text(node: PartialNode) -> None:
    for text in HOSTILE:
        node.notices.report(Kind.ENGINE_DROPPED, f"Engine of {text} was dropped", cluster=text)
    found = page("/console/events/")
    assert found.count("<li>\n    <time") == len(HOSTILE)
    assert "<script>" not in found
    assert "<img src=x" not in found
    assert 'href="/console/clusters/..%2Fadmin/"' in found


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("", "peer lost"),
        ("?kind=&severity=&age=&node=&cluster=&text=", "peer lost"),  # what the form sends
        ("?kind=peer_lost&severity=error&age=3600&text=nobody", "Peer nobody is lost"),
        ("?text=zebra", "No event passes these filters."),
        ("?cluster=c", "No event passes these filters."),
    ],
)
def test_the_filters_of_events_are_in_the_address(node: PartialNode, query: str, words: str) -> None:
    node.notices.report(Kind.PEER_LOST, "Peer nobody is lost", peer="nobody")
    assert words in page(f"/console/events/{query}")


def test_a_filter_stays_chosen(node: PartialNode) -> None:
    found = page("/console/events/?kind=peer_lost&text=a%22b")
    assert '<option value="peer_lost" selected>' in found
    assert 'value="a&quot;b"' in found
    assert 'href="/console/events/">Clear</a>' in found


@pytest.mark.parametrize(
    ("query", "status", "words"),
    [
        ("?kind=zebra", 400, "kind: expected one of"),
        ("?age=soon", 400, "age: expected"),
        ("?after=gone", 404, "no longer kept"),
    ],
)
def test_a_wrong_filter_is_named(node: PartialNode, query: str, status: int, words: str) -> None:
    assert words in page(f"/console/events/{query}", status)


def test_older_events_are_on_a_page_behind(node: PartialNode) -> None:
    for number in range(6):
        for kind in list(Kind)[:10]:
            node.notices.report(kind, f"event {number}", item=f"{number}")
    first = page("/console/events/?text=event")
    assert first.count("<time") == 50
    (older,) = [link for link in links(first) if "after=" in link]
    assert "text=event" in older
    behind = page(f"/console/events/{older}")
    assert behind.count("<time") == 10
    assert ">Newest</a>" in behind


def test_before_anything_happened_the_page_says_so(node: PartialNode) -> None:
    assert "Nothing has happened yet." in page("/console/events/")
    assert 'id="recent" hidden' in page("/console/")


def test_the_overview_has_the_last_five_events(node: PartialNode) -> None:
    for number in range(7):
        node.notices.report(Kind.PEER_LOST, f"Peer {number} is lost", peer=f"{number}")
    found = page("/console/")
    assert [number for number in range(7) if f"Peer {number} is lost" in found] == [2, 3, 4, 5, 6]
    assert 'href="/console/events/">All events</a>' in found


def test_an_event_leads_to_what_it_is_about(node: PartialNode) -> None:
    node.notices.report(Kind.GATEWAY_SILENT, "silent", gateway="gw 1")
    node.notices.report(Kind.ENGINE_DROPPED, "dropped", cluster="a/b", engine="10.0.0.1")
    found = links(page("/console/events/"))
    assert "/console/gateways/?owner=gw+1" in found
    assert "/console/clusters/a%2Fb/" in found
    assert any("engine=10.0.0.1" in each for each in found)


def test_an_engine_page_leads_to_what_is_wrong_among_the_nodes(
    node: PartialNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    node.add("r1", "c", "10.0.0.1")
    lost = PeersView(peers=(Peer("p", "lost"),))
    monkeypatch.setattr("console.live_page.ask", lambda path, expected: lost)
    assert 'does not answer · <a href="/console/nodes/">' in page("/console/engine/?cluster=c&engine=10.0.0.1")


def test_what_repeats_says_since_when(node: PartialNode) -> None:
    for _ in range(1234):
        node.notices.report(Kind.TASK_FAILED, "Task expire failed", item="expire")
    assert "1,234 times since" in page("/console/events/")


def test_a_filter_without_hits_says_so_without_javascript(node: PartialNode) -> None:
    node.add("r1", "c", "10.0.0.1")
    overview, cluster = page("/console/?filter=zz"), page("/console/clusters/c/?only=orphaned")
    for text, wanted in ((overview, "zz"), (cluster, "orphaned")):
        assert 'id="no-match"><p>No' in text
        assert f'<b class="wanted">{wanted}</b>' in text
        assert 'id="empty" hidden' in text
    assert 'id="no-match" hidden' in page("/console/?filter=c")
    assert 'id="no-match" hidden' in page("/console/clusters/c/")
    assert 'id="no-match" hidden' in page("/console/clusters/none/", 404)
