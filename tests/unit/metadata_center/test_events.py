# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""`GET /v1/events`: filters, pages, and what a caller with clusters sees."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from edge.call import Call
from edge.caller import Caller, Scope
from edge.errors import InvalidInput, NotFound
from metadata_center.notices.handlers import NoticeHandlers
from runtime.notices.kind import Kind
from runtime.notices.log import NoticeLog

WALL_NS = 1_800_000_000_000_000_000


class Events:
    """Handlers over a log whose time a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.log = NoticeLog("a@1", "a", lambda: self.now)
        self._handlers = NoticeHandlers(self.log, now=lambda: self.now, wall_ns=lambda: WALL_NS)

    def ask(self, query: str = "", caller: Caller | None = None) -> Any:
        return msgspec.json.decode(self._handlers.events(Call(query.encode(), b"", {}, caller=caller)))

    def texts(self, query: str = "", caller: Caller | None = None) -> list[str]:
        return [each["text"] for each in self.ask(query, caller)["events"]]


@pytest.fixture
def events() -> Events:
    events = Events()
    events.log.report(Kind.NODE_STARTED, "started")
    events.now += 100
    events.log.report(Kind.ENGINE_DROPPED, "dropped", cluster="eu-1", engine="10.0.0.1")
    events.now += 100
    events.log.report(Kind.PEER_LOST, "lost", peer="B:1")
    events.now += 100
    events.log.report(Kind.GATEWAY_SILENT, "silent", gateway="gw")
    events.now += 10
    return events


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["silent", "lost", "dropped", "started"]),
        ("kind=peer_lost", ["lost"]),
        ("severity=info", ["silent", "lost", "dropped", "started"]),
        ("severity=warning", ["silent", "lost"]),
        ("severity=error", ["lost"]),
        ("node=a&cluster=eu-1", ["dropped"]),
        ("node=b", []),
        ("age=111", ["silent", "lost"]),
        ("age=5", []),
        ("text=b%3A1", ["lost"]),
        ("text=STARTED", ["started"]),
        ("text=gateway_silent", ["silent"]),
        ("text=", ["silent", "lost", "dropped", "started"]),
        ("kind=peer_lost&severity=error&text=zebra", []),
    ],
)
def test_filters_choose(events: Events, query: str, expected: list[str]) -> None:
    assert events.texts(query) == expected


def test_an_event_says_when_in_wall_time(events: Events) -> None:
    event = events.ask("kind=peer_lost")["events"][0]
    assert event["time_ns"] == event["first_time_ns"] == WALL_NS - 110 * 10**9
    assert (event["id"], event["node"], event["times"], event["peer"]) == ("a@1:3", "a", 1, "B:1")


def test_pages_follow_each_other(events: Events) -> None:
    found, after = [], ""
    while True:
        answer = events.ask(f"limit=1{after}")
        found += [each["text"] for each in answer["events"]]
        if not answer["next"]:
            break
        after = f"&after={answer['next']}"
    assert found == ["silent", "lost", "dropped", "started"]
    with pytest.raises(NotFound, match="no longer kept"):
        events.ask("after=gone")


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("kind=", "kind: expected one of node_started"),
        ("kind=x", "kind: expected one of node_started"),
        ("severity=", "severity: expected one of info, warning, error"),
        ("node=", "node: expected"),
        ("cluster=", "cluster: expected"),
        ("age=", "age: expected"),
        ("age=0", "age: expected"),
        ("age=nan", "age: expected"),
        ("limit=0", "limit: expected"),
        ("limit=201", "limit: expected"),
        ("limit=", "limit: expected"),
        ("after=", "after: expected"),
        ("text=" + "x" * 257, "text: expected"),
        ("text=%ff", "text: expected percent-encoded UTF-8"),
    ],
)
def test_what_is_wrong_is_named(events: Events, query: str, reason: str) -> None:
    with pytest.raises(InvalidInput) as problem:
        events.ask(query)
    assert problem.value.reason.startswith(reason)


def test_a_caller_with_clusters_sees_theirs_alone(events: Events) -> None:
    def caller(*clusters: str) -> Caller:
        return Caller("key k", frozenset({Scope.READ}), clusters)

    assert events.texts("", caller("eu-*")) == ["dropped"]
    assert events.texts("", caller("us-*")) == []
    assert len(events.texts("", caller())) == 4
    with pytest.raises(NotFound):
        events.ask("after=gone", caller("eu-*"))


def test_what_every_node_notices_is_shown_once(events: Events) -> None:
    other = NoticeLog("b@1", "b", lambda: events.now - 8)
    other.report(Kind.GATEWAY_SILENT, "silent", gateway="gw")
    other.report(Kind.PEER_LOST, "lost", peer="B:1")
    events.log.take(other.beyond({}))
    assert events.texts() == ["lost", "silent", "lost", "dropped", "started"]
    late = NoticeLog("c@1", "c", lambda: events.now)
    events.now += 60
    late.report(Kind.GATEWAY_SILENT, "silent later", gateway="gw")
    events.log.take(late.beyond({}))
    assert events.texts("kind=gateway_silent") == ["silent later", "silent"]
