# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The admin's pages: what they show of a node, and what the operations on them do."""

from __future__ import annotations

import re
from html import unescape
from time import monotonic
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.admin.models import CHANGE, DELETION, LogEntry
from django.contrib.auth.models import User
from django.db import DatabaseError
from django.test import Client
from django.urls import reverse
from kombu.exceptions import OperationalError

from edge.templatetags.live import age
from loadstats.admin import requests, sums
from loadstats.ledger import Added, Ledger
from metadata_center.admin.dashboard import BUSIEST
from runtime.config import Config
from runtime.config.loaded import Loaded
from runtime.config.member import members
from runtime.config.schema import ReplicationSettings
from tests.unit.partial_node import WALL_NS, PartialNode

pytestmark = pytest.mark.django_db

HOSTILE = ("<script>alert(1)</script>", '"><img src=x>', "a/b?c=d&e#f", "模型", "{{ 7 }}", "a\nb", "x" * 256, " ", "'[")


@pytest.fixture
def client(node: PartialNode) -> Client:
    client = Client()
    client.force_login(User.objects.create(username="boss", is_staff=True, is_superuser=True))
    return client


def shown(client: Client, name: str, /, **query: str) -> str:
    """A page's own part."""
    response = client.get(reverse(f"admin:{name}"), query)
    assert response.status_code == 200
    return response.text.partition("<main")[2].partition("</main>")[0]


def rows(text: str) -> list[list[str]]:
    """The cells of a page's tables, without their tags."""
    found = re.findall(r"<tr>(.*?)</tr>", text.replace("\n", " "))
    cells = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in found]
    return [[" ".join(re.sub(r"<[^>]*>", " ", cell).split()) for cell in row] for row in cells]


def links(text: str) -> list[str]:
    return [link.replace("&amp;", "&") for link in re.findall(r'href="([^"]*)"', text)]


def messages(response: Any) -> list[str]:
    return [str(message) for message in response.context["messages"]]


# What is shown


def test_the_overview_shows_health_counts_and_the_busiest(client: Client, node: PartialNode) -> None:
    for number in range(BUSIEST + 3):
        for request in range(number + 1):
            node.add(f"r{number}-{request}", f"c{number:02}")
    node.ledger.first_token("early", 0.0, 0)
    text = shown(client, "index")
    numbers = re.findall(r"<li><span>(.*?)</span><strong>(.*?)</strong>", text)
    assert dict(numbers) | {"Clusters": "11", "Requests in flight": "66", "Out-of-order requests": "1"} == dict(numbers)
    names = [row[0] for row in rows(text) if re.fullmatch(r"c\d\d", row[0])]
    assert names == [f"c{number:02}" for number in range(10, 2, -1)]
    assert ["worker", "ok"] in [row[:2] for row in rows(text)]
    assert "Nothing yet." in text


def test_clusters_come_the_busiest_first_and_are_found_by_name(client: Client, node: PartialNode) -> None:
    for number in range(6):
        node.add(f"a{number}", "alpha", f"10.0.0.{number // 4}", 100)
    node.add("b", "beta", prompt_length=1)
    node.add("g", "gamma")
    node.ledger.done("g", 0.0, 0)
    node.ledger.first_token("a0", 0.0, 0)
    node.ledger.tokens("a0", 40, 2, 0.0, 0)
    node.ledger.beat("gateway", 5, 0.0, 1)
    node.ledger.add("b2", "beta", "10.0.0.1", 1, 0.0, 1, "gateway")
    while node.ledger.lapse(10.0, 10**10):
        pass
    assert rows(shown(client, "loadstats_cluster_changelist"))[1:] == [
        ["alpha", "2", "6", "5", "500", "42", "0", "4", "1.33"],
        ["beta", "1", "2", "2", "2", "0", "1", "2", "1.00"],
        ["gamma", "1", "0", "0", "0", "0", "0", "0", "idle"],
    ]
    (engine,) = rows(shown(client, "loadstats_engine_changelist", cluster="beta"))[1:]
    assert engine[2:7] == ["2", "2", "2", "0", "1"]
    assert [row[0] for row in rows(shown(client, "loadstats_cluster_changelist", name="lph"))[1:]] == ["alpha"]
    assert "“zeta” in its name" in shown(client, "loadstats_cluster_changelist", name="zeta")


@pytest.mark.no_cover
def test_engines_are_filtered_and_paged(client: Client, node: PartialNode, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(250):
        node.add(f"r{number}", "big", f"10.0.1.{number}", number)
    node.add("s1", "small", "10.0.2.1")
    node.add("s2", "small", "10.0.2.1")
    node.add("idle", "small", "10.0.2.2")
    node.ledger.done("idle", 0.0, 0)
    first = shown(client, "loadstats_engine_changelist")
    assert rows(first)[1][:3] == ["10.0.2.1", "small", "2"]
    assert rows(first)[2][:5] == ["10.0.1.249", "big", "1", "1", "249"]
    assert "1 to 100 of 252, the busiest first" in first
    assert "?page=2" in links(first)
    last = shown(client, "loadstats_engine_changelist", page="3")
    assert len(rows(last)) - 1 == 52
    assert rows(last)[-1][:2] == ["10.0.2.2", "small"]
    assert "?page=4" not in links(last)
    for wrong in ("0", "-1", "x", "99", "9" * 5000, "²"):
        assert len(rows(shown(client, "loadstats_engine_changelist", page=wrong))) > 50
    small = rows(shown(client, "loadstats_engine_changelist", cluster="small"))
    assert [row[0] for row in small[1:]] == ["10.0.2.1", "10.0.2.2"]
    assert len(rows(shown(client, "loadstats_engine_changelist", cluster="small", busy="1"))) == 2
    assert len(rows(shown(client, "loadstats_engine_changelist", ip="1.24"))) - 1 == 11
    assert "No matching engines." in shown(client, "loadstats_engine_changelist", cluster="none")
    monkeypatch.setattr(sums, "MOST_PAGES", 2)
    assert "?page=3" not in links(shown(client, "loadstats_engine_changelist", page="2"))


@pytest.mark.no_cover
@pytest.mark.parametrize("typed", ["fd00::7", "FD00:0::7", "[FD00::7]:8000", "FD00::", "D00::7"])
def test_engines_and_requests_are_found_by_any_spelling(client: Client, node: PartialNode, typed: str) -> None:
    node.add("r7", ip="[fd00::7]:8000" if ":8000" in typed else "fd00::7")
    node.add("r8", ip="10.0.0.8")
    whole = typed not in {"FD00::", "D00::7"}
    for page in ("loadstats_engine_changelist", *(["loadstats_request_changelist"] if whole else [])):
        text = shown(client, page, ip=typed)
        assert "fd00::7" in text
        assert "10.0.0.8" not in text


def test_an_engine_is_forgotten_by_any_spelling(client: Client, node: PartialNode) -> None:
    node.add("r", ip="[fd00::7]:8000")
    do(client, "loadstats_engine_forget_engine", cluster="c", ip="[FD00:0::7]:8000")
    assert node.ledger.rows("c") == []


def test_wrong_passwords_are_called_as_an_operator_would(client: Client, node: PartialNode) -> None:
    page = client.get(reverse("admin:axes_accessattempt_changelist")).content.decode()
    assert "Log-in attempts" in page
    assert "Access attempt" not in page
    assert not re.search(r"\baxes\b", re.sub(r"<[^>]*>", " ", page), re.IGNORECASE)  # what people read


def test_an_empty_node_has_pages(client: Client, node: PartialNode) -> None:
    assert "No cluster has an engine." in shown(client, "loadstats_cluster_changelist")
    assert "No engines yet." in shown(client, "loadstats_engine_changelist")
    text = shown(client, "loadstats_request_changelist")
    assert "No matching requests." in text
    assert "scanned 100 % of all records" in text


def test_a_request_is_found_by_its_id(client: Client, node: PartialNode) -> None:
    node.add("r1", "alpha", "10.0.0.7", 1200)
    node.add("r10", "alpha")
    (_, row) = rows(shown(client, "loadstats_request_changelist", request_id=" r1 "))
    assert row[:4] == ["r1", "alpha", "10.0.0.7", "prefill"]
    assert row[6:8] == ["1,200", "–"]
    assert "does not know “nobody”" in shown(client, "loadstats_request_changelist", request_id="nobody")


@pytest.mark.no_cover
def test_requests_are_filtered(client: Client, node: PartialNode, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SimpleNamespace(now=0.0)  # as the node's; the machine's own may have run for less than ten minutes
    monkeypatch.setattr(requests, "monotonic", lambda: clock.now)
    for number in range(8):
        node.add(f"a{number}", "alpha", f"10.0.0.{number % 2}")
    node.add("b", "beta")
    node.ledger.first_token("a1", 0.0, 0)
    node.ledger.done("a2", 0.0, 0)
    node.ledger.done("early", 0.0, 0)

    def found(**query: str) -> set[str]:
        return {row[0] for row in rows(shown(client, "loadstats_request_changelist", **query))[1:]}

    in_flight = {"a0", "a1", "a3", "a4", "a5", "a6", "a7", "b"}
    assert found() == found(phase="nonsense", age="nonsense", bucket="x", after="") == in_flight
    assert found(age="9" * 5000, bucket="9" * 5000) == in_flight
    assert found(phase="all") == in_flight | {"a2", "early"}
    assert found(phase="decode") == {"a1"}
    assert found(phase="done") == {"a2"}
    assert found(phase="early") == {"early"}
    assert found(cluster="alpha", ip="10.0.0.1") == {"a1", "a3", "a5", "a7"}
    assert found(cluster="beta") == {"b"}
    for now, older in ((599.0, {"No matching requests."}), (600.0, in_flight), (10**6, in_flight)):
        clock.now = now
        assert found(age="600") == older


@pytest.mark.no_cover
def test_a_walk_through_the_pages_meets_every_request_once(
    client: Client, node: PartialNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requests, "MOST_LOOKED", 300)
    for number in range(1000):
        node.add(f"request & {number}", "alpha" if number % 10 else "beta")
    for query, count in (({}, 1000), ({"cluster": "beta"}, 100)):
        text = shown(client, "loadstats_request_changelist", **query)
        met: list[str] = []
        pages = 0
        while True:
            pages += 1
            met += [row[0] for row in rows(text)[1:] if len(row) > 1]
            further = re.search(r'<a class="button go" href="([^"]*)">Continue', text)
            if further is None:
                break
            text = client.get(reverse("admin:loadstats_request_changelist") + further[1].replace("&amp;", "&")).text
            assert "From the start" in text
            text = text.partition("<main")[2]
        assert len(met) == len(set(met)) == count
        assert pages >= 4
        assert "scanned 100 % of all records" in text


@pytest.mark.no_cover
@pytest.mark.parametrize("name", HOSTILE)
def test_names_from_clients_stay_text_and_can_be_acted_on(client: Client, node: PartialNode, name: str) -> None:
    node.add(name, name, "10.0.0.9")
    for target in ("index", "loadstats_cluster_changelist", "loadstats_engine_changelist"):
        text = shown(client, target)
        assert "<script>alert" not in text
        assert "<img" not in text
    (forget,) = (link for link in links(shown(client, "loadstats_engine_changelist")) if "forget" in link)
    assert "10.0.0.9" in client.get(forget).text
    (end,) = (link for link in links(shown(client, "loadstats_request_changelist")) if "end_request" in link)
    asked = client.get(end)
    assert asked.status_code == 200
    assert "<script>alert" not in asked.text
    assert asked.context["values"] == {"request_id": name}
    client.post(end.partition("?")[0], asked.context["values"])
    assert node.ledger.counts().in_flight == 0
    after = client.get(reverse("admin:index"))
    assert "<script>alert" not in after.text
    assert "<img src=x" not in after.text
    assert "<script>alert" not in client.get(reverse("admin:admin_logentry_changelist")).text


def test_a_request_that_a_peer_told_of_names_it(client: Client, node: PartialNode) -> None:
    ledger = Ledger()
    ledger.replica.apply([Added("r1", "c", "10.0.0.1", 1)], ledger.replica.origin("10.0.0.2:8080@18ea"), 12, 0.0, 0)
    node.ledger, node.inspection = ledger, ledger.requests
    text = shown(client, "loadstats_request_changelist")
    assert rows(text)[1][7] == "10.0.0.2:8080 #12"
    assert "10.0.0.2:8080@18ea, event 12" in text


def test_peers_are_shown_as_they_are(client: Client, node: PartialNode) -> None:
    text = shown(client, "replication_peer_changelist")
    assert rows(text)[1][:6] == ["10.0.0.2:8080", "lost", "1 min 1 s", "1,234 events, 0.500 s", "5", "5"]
    assert ["10.0.0.1:8080@1", "1,239"] in rows(text)


def test_tasks_are_shown_with_their_last_run(client: Client, node: PartialNode) -> None:
    (_, row) = rows(shown(client, "metadata_center_task_changelist"))
    assert row[:4] == ["expire loadstats.expire", "60 s", "2027-01-15 08:00:00", "0.250 s"]
    assert row[4:8] == ["2", "1", "0", "ValueError: no"]
    node.celery.last_runs = {}
    (_, row) = rows(shown(client, "metadata_center_task_changelist"))
    assert row[2:5] == ["not yet", "–", "0"]


def test_the_configuration_tells_sources_and_hides_secrets(client: Client, settings: Any) -> None:
    config = Config(replication=ReplicationSettings(secret="hunter2hunter2"))
    sources = {member.path: "default" for member in members()} | {"Replication.Secret": "environment REPLICA_SECRET"}
    settings.LOADED = Loaded(config, sources)
    text = shown(client, "metadata_center_setting_changelist")
    assert "hunter2" not in text
    assert ["Secret", "&quot;***&quot;", "environment REPLICA_SECRET"] in rows(text)
    assert ["Port", "8080", "default"] in rows(text)
    assert len([row for row in rows(text) if row[-1] == "default"]) == len(members()) - 1


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "–"),
        (0.9, "0 s"),
        (59.9, "59 s"),
        (60, "1 min"),
        (125, "2 min 5 s"),
        (7260, "2 h 1 min"),
        (90000, "1 d 1 h"),
    ],
)
def test_ages_are_in_the_two_units_that_fit(seconds: float | None, text: str) -> None:
    assert age(seconds) == text


# What is done


def do(client: Client, name: str, /, back: str = "", **values: str) -> tuple[str, str, str, int]:
    """Confirm and do it. What the confirmation asks, the message, and the target and kind in the admin log."""
    url = reverse(f"admin:{name}")
    asked = client.get(url, values | {"back": back})
    assert asked.status_code == 200
    question = asked.context["question"].subject
    assert question in re.sub(r"&#x27;", "'", asked.text)
    assert LogEntry.objects.count() == 0
    response = client.post(url, values | {"back": back}, follow=True)
    assert response.redirect_chain[0][0].partition("?")[2] == back
    (entry,) = LogEntry.objects.all()
    (message,) = messages(response)
    assert entry.user.get_username() == "boss"
    assert entry.change_message == message == entry.get_change_message()
    assert message in shown(client, "index")
    return question, message, str(entry.object_id), entry.action_flag


def test_a_request_is_ended(client: Client, node: PartialNode) -> None:
    node.add("r1", "alpha", "10.0.0.7", 1200)
    node.add("r2", "alpha", "10.0.0.7", 30)
    question, message, target, flag = do(
        client, "loadstats_request_end_request", back="cluster=alpha&age=10", request_id="r1"
    )
    assert question == "End request r1?"
    assert re.fullmatch(r"Request r1 on 10.0.0.7 in alpha was ended in phase prefill, \d+ s old.", message)
    assert (target, flag) == ("r1", DELETION)
    (row,) = node.ledger.rows("alpha")
    assert (row.queued_req_num, row.prompt_length) == (1, 30)
    seen = node.ledger.requests.look("r1", 0.0)
    assert seen is not None
    assert seen.cause == "operator"


def test_an_early_request_is_ended(client: Client, node: PartialNode) -> None:
    node.ledger.first_token("early", 0.0, 0)
    _, message, _, _ = do(client, "loadstats_request_end_request", request_id="early")
    assert message.startswith("Request early was ended in phase early")
    node.add("early")
    assert node.ledger.counts().in_flight == 0


def test_an_engine_is_forgotten(client: Client, node: PartialNode) -> None:
    for number in range(5):
        node.add(f"r{number}", "alpha", f"10.0.0.{number % 2}")
    question, message, target, flag = do(client, "loadstats_engine_forget_engine", cluster="alpha", ip="10.0.0.0")
    assert question == "Forget engine 10.0.0.0 of cluster alpha?"
    assert message == "Engine 10.0.0.0 in alpha was forgotten, with 3 requests in flight."
    assert (target, flag) == ("10.0.0.0 in alpha", DELETION)
    assert [row.ip for row in node.ledger.rows("alpha")] == ["10.0.0.1"]
    while node.ledger.lapse(0.0, 0):
        pass
    assert node.ledger.counts().in_flight == 2


def test_an_engine_of_a_port_and_rank_is_forgotten(client: Client, node: PartialNode) -> None:
    node.add("r1", "alpha", "[2001:db8::1]:8000/3")
    node.add("r2", "alpha", "[2001:db8::1]:8000/4")
    (forget, _) = (link for link in links(shown(client, "loadstats_engine_changelist")) if "forget" in link)
    assert client.post(forget.partition("?")[0], client.get(forget).context["values"]).status_code == 302
    assert len(rows(shown(client, "loadstats_engine_changelist"))) == 2
    assert "2 requests" not in shown(client, "index")


def test_a_peer_is_resynced(client: Client, node: PartialNode) -> None:
    _, message, target, flag = do(client, "replication_peer_resync_peer", name="10.0.0.2:8080")
    assert message == "Peer 10.0.0.2:8080: everything is pulled from it."
    assert (target, flag, node.peers.asked) == ("10.0.0.2:8080", CHANGE, ["10.0.0.2:8080"])


def test_a_task_is_run_now(client: Client, node: PartialNode) -> None:
    _, message, target, flag = do(client, "metadata_center_task_run_task", name="expire")
    assert message == "Task expire was sent to the worker."
    assert (target, flag, node.celery.asked) == ("expire", CHANGE, ["loadstats.expire"])


def test_the_log_level_is_set(client: Client, node: PartialNode) -> None:
    _, message, target, flag = do(client, "metadata_center_node_set_log_level", level="ERROR")
    assert message == "Log level set from WARN to ERROR."
    assert (target, flag, node.logs.level) == (node.name, CHANGE, "ERROR")


@pytest.mark.parametrize(
    ("name", "values", "says"),
    [
        ("loadstats_request_end_request", {"request_id": "nobody"}, "Request 'nobody' is unknown here"),
        ("loadstats_request_end_request", {"request_id": "over"}, "Request 'over' has already ended."),
        ("loadstats_request_end_request", {}, "Request '' is unknown here"),
        ("loadstats_engine_forget_engine", {"cluster": "c", "ip": "10.9.9.9"}, "No engine '10.9.9.9' in cluster 'c'"),
        ("loadstats_engine_forget_engine", {"ip": "10.0.0.1"}, "No engine '10.0.0.1' in cluster ''"),
        ("replication_peer_resync_peer", {"name": "nobody"}, "No peer 'nobody'"),
        ("metadata_center_task_run_task", {"name": "nobody"}, "name: no task 'nobody'"),
        ("metadata_center_node_set_log_level", {"level": "debug"}, "level: expected one of TRACE, DEBUG"),
    ],
)
def test_what_cannot_be_done_is_said_and_not_logged(
    client: Client, node: PartialNode, name: str, values: dict[str, str], says: str
) -> None:
    node.add("over")
    node.ledger.done("over", 0.0, 0)
    for ask in (client.get, client.post):
        response: Any = ask(reverse(f"admin:{name}"), values, follow=True)
        (message,) = messages(response)
        assert message.startswith(says)
    assert LogEntry.objects.count() == 0


def test_a_peer_that_goes_between_question_and_answer_is_said(client: Client, node: PartialNode) -> None:
    node.peers.resync = lambda name: False  # type: ignore[method-assign]
    url = reverse("admin:replication_peer_resync_peer")
    assert client.get(url, {"name": "10.0.0.2:8080"}).status_code == 200
    assert messages(client.post(url, {"name": "10.0.0.2:8080"}, follow=True)) == [
        "No peer '10.0.0.2:8080': it may have gone meanwhile."
    ]
    assert LogEntry.objects.count() == 0


def test_a_broker_that_is_away_is_said(client: Client, node: PartialNode) -> None:
    def away(item: object) -> None:
        raise OperationalError("connection refused")

    node.celery.run_now = away  # type: ignore[method-assign]
    response = client.post(reverse("admin:metadata_center_task_run_task"), {"name": "expire"}, follow=True)
    assert messages(response) == ["The broker does not answer: connection refused"]
    assert LogEntry.objects.count() == 0


def test_nothing_is_done_that_the_log_could_not_be_told_of(
    client: Client, node: PartialNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: object, *_: object, **__: object) -> None:
        raise DatabaseError("database or disk is full")

    node.add("r1")
    monkeypatch.setattr(LogEntry, "save", full)
    refused = client.post(reverse("admin:loadstats_request_end_request"), {"request_id": "r1"})
    assert refused.status_code == 503
    assert node.ledger.counts().in_flight == 1


def test_the_way_back_stays_on_the_page(client: Client, node: PartialNode) -> None:
    node.add("r1")
    for back in ("//evil.example", "https://evil.example", "\r\nX-Evil: 1"):
        url = reverse("admin:loadstats_request_end_request")
        asked = client.get(url, {"request_id": "r1", "back": back})
        assert asked.context["back_url"] == f"{reverse('admin:loadstats_request_changelist')}?{back}"
        response = client.post(url, {"request_id": "nobody", "back": back})
        assert response["Location"].startswith(f"{reverse('admin:loadstats_request_changelist')}?")


def test_the_requests_of_a_filter_are_counted_and_ended(client: Client, node: PartialNode) -> None:
    for number in range(3):
        node.ledger.add(f"r{number}", "alpha", "10.0.0.7", 1, monotonic() - 100, WALL_NS, "gw")
    node.ledger.add("new", "alpha", "10.0.0.7", 1, monotonic(), WALL_NS, "gw")
    node.ledger.add("other", "alpha", "10.0.0.7", 1, monotonic() - 100, WALL_NS, "gw-2")
    query = "owner=gw&age=60"
    assert "end_requests/?owner=gw&age=60&phase=flight" in unescape(
        shown(client, "loadstats_request_changelist", owner="gw", age="60")
    )
    question, message, target, _ = do(
        client, "loadstats_request_end_requests", back=query, owner="gw", age="60", phase="flight"
    )
    assert question == "End 3 requests?"
    assert message == f"3 requests ended: {target}."
    assert target == "gateway gw, phase in flight, age over 60 s"
    assert node.ledger.counts().in_flight == 2
    assert node.trail.acts()[-1] == ("end_requests", "done", "user boss")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, "this would end every request"),
        ({"phase": "prefill"}, "this would end every request"),
        ({"owner": "gw", "client": "10.0.0.1"}, "expected no client beside it"),
        ({"owner": "gw", "phase": "done"}, "phase: expected flight, prefill or decode"),
        ({"owner": "gw", "age": "old"}, "age: expected seconds"),
        ({"owner": "gw"}, "No matching requests in flight: gateway gw."),
    ],
)
def test_what_would_end_everything_or_nothing_is_refused(
    client: Client, node: PartialNode, values: dict[str, str], words: str
) -> None:
    node.add("r1", "alpha")
    response = client.get(reverse("admin:loadstats_request_end_requests"), values, follow=True)
    (message,) = messages(response)
    assert words in message
    assert node.ledger.counts().in_flight == 1


def test_an_operation_that_was_asked_for_in_the_console_returns_there(client: Client, node: PartialNode) -> None:
    node.add("r1", "alpha")
    url, values = reverse("admin:loadstats_request_end_request"), {"request_id": "r1"}
    for following, back in (("/console/gateways/?order=oldest", True), ("//elsewhere.example/", False)):
        node.add(f"for {following}", "alpha")
        asked = {"request_id": f"for {following}", "next": following}
        assert (f'href="{following}"' in client.get(url, asked).text) == back
        assert (client.post(url, asked)["Location"] == following) == back
    assert client.get(url, values).status_code == 200
