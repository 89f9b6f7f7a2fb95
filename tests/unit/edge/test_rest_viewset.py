# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Django's door to the handlers: the same answers as the edge's, whatever the request looks like."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client
from django.urls import get_resolver, resolve

from edge.call import Call, Table
from tests.unit.partial_node import PartialNode

STATS = "/v1/load/stats"
ADD = b'{"cluster":"c","request_id":"r","ip":"10.0.0.1","prompt_length":5}'
HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}

CONTENT_TYPES = (
    "",
    "text/plain",
    "application/json",
    "application/json; charset=klingon",
    "application/xml",
    "application/x-www-form-urlencoded",
    "multipart/form-data",
    "multipart/form-data; boundary=x",
    "nonsense",
    "a/b;" * 200,
)


def generic(method: str, target: str, body: bytes = b"", content_type: str = "", **headers: str) -> Any:
    return Client().generic(method, target, body, content_type=content_type, headers=headers)


@pytest.mark.parametrize("content_type", CONTENT_TYPES)
def test_a_body_is_json_whatever_its_content_type_says(node: PartialNode, content_type: str) -> None:
    assert generic("POST", STATS, ADD, content_type).status_code == 200
    assert node.ledger.rows("c")[0].prompt_length == 5


@pytest.mark.parametrize("content_type", [each for each in CONTENT_TYPES if "form" not in each])
def test_a_browser_may_post_json_too(node: PartialNode, content_type: str) -> None:
    assert generic("POST", STATS, ADD, content_type, **HTML).status_code == 200
    assert node.ledger.rows("c")[0].prompt_length == 5


@pytest.mark.parametrize("accept", ["", "*/*", "application/json", "application/xml", "image/png, */*;q=0", "a" * 9000])
def test_whoever_does_not_ask_for_html_gets_json(node: PartialNode, accept: str) -> None:
    response = generic("GET", f"{STATS}?cluster=c&format=api", Accept=accept)
    assert response.status_code == 200
    assert response["Content-Type"] == "application/json; charset=utf-8"


@pytest.mark.parametrize(
    ("method", "target", "body"),
    [
        ("GET", f"{STATS}?cluster=c", b""),
        ("GET", STATS, b""),
        ("GET", f"{STATS}?cluster=%zz", b""),
        ("GET", f"{STATS}?cluster=%C3%A9+%2F&cluster=b", b""),
        ("POST", STATS, ADD),
        ("POST", STATS, b'{"cluster":"c"}'),
        ("POST", STATS, b"\xff"),
        ("DELETE", STATS, b'{"request_id":"r"}'),
        ("DELETE", STATS, b""),
        ("DELETE", "/v1/load/prompt", b'{"request_id":"r"}'),
        ("POST", "/v1/replica/event", b"{}"),
        ("POST", "/log/level", b'{"LevelParam":"LOUD"}'),
        ("GET", "/livez", b""),
        ("GET", "/readyz", b""),
        ("GET", "/version", b""),
    ],
)
def test_its_answers_are_the_edges_byte_for_byte(node: PartialNode, method: str, target: str, body: bytes) -> None:
    node.add("r0")
    path, _, query = target.partition("?")
    route = node.dispatcher.table.find(method.encode(), path.encode())
    assert route is not None
    expected = node.dispatcher.serve(route, Call(query.encode(), body, {}), b"trace")
    response = generic(method, target, body, TraceId="trace")
    assert (response.status_code, response.content) == expected
    assert response["X-Trace-ID"] == "trace"


def test_every_call_has_a_page_and_every_page_a_call(node: PartialNode) -> None:
    calls = {(route.path, route.method) for route in node.dispatcher.table if not route.internal}
    for path, method in calls:
        assert method in resolve(path).func.cls.inputs
    included = [pattern for each in get_resolver().url_patterns for pattern in getattr(each, "url_patterns", [])]
    views = [pattern.callback.cls for pattern in included if hasattr(pattern.callback, "cls")]
    assert calls == {(view.path, method) for view in views for method in view.inputs}


def test_a_replicated_event_needs_its_header(node: PartialNode) -> None:
    assert generic("POST", "/v1/replica/event", ADD).status_code == 400
    assert generic("POST", "/v1/replica/event", ADD, **{"Event-Type": "load.stats.set"}).status_code == 200
    assert node.ledger.rows("c")[0].queued_req_num == 1


def test_a_handler_is_told_who_calls(node: PartialNode) -> None:
    Client(REMOTE_ADDR="10.9.9.9").post("/v1/replica/event", b"{}", "")
    assert node.replica.clients == ["10.9.9.9"]


@pytest.mark.parametrize("accept", ["*/*", "text/html"])
def test_a_body_over_the_limit_is_413(node: PartialNode, accept: str) -> None:
    fits = generic("POST", STATS, ADD.ljust(4096), Accept=accept)
    assert fits.status_code == 200
    response = generic("POST", STATS, ADD.ljust(4097), Accept=accept)
    assert response.status_code == 413
    if accept == "*/*":
        assert response.json()["error"] == {
            "code": 41301000,
            "message": "body too large",
            "reason": "body: expected at most 4096 bytes",
        }


@pytest.mark.parametrize(
    ("method", "target", "allow"),
    [
        ("PUT", STATS, {"GET", "HEAD", "POST", "DELETE", "OPTIONS"}),
        ("GET", "/v1/load/prompt", {"DELETE", "OPTIONS"}),
        ("PATCH", "/log/level", {"POST", "OPTIONS"}),
        ("TRACE", "/livez", {"GET", "HEAD", "OPTIONS"}),
        ("BREW", "/livez", {"GET", "HEAD", "OPTIONS"}),
    ],
)
def test_a_wrong_method_is_405_with_allow(node: PartialNode, method: str, target: str, allow: set[str]) -> None:
    response = generic(method, target, TraceId="t")
    assert response.status_code == 405
    assert set(response["Allow"].split(", ")) == allow
    error = response.json()
    assert (error["error"]["code"], error["trace_id"]) == (40501000, "t")


def test_options_tells_what_there_is(node: PartialNode) -> None:
    response = generic("OPTIONS", STATS)
    assert response.status_code == 200
    assert set(response["Allow"].split(", ")) == {"GET", "HEAD", "POST", "DELETE", "OPTIONS"}
    methods = response.json()["data"]["methods"]
    assert methods["POST"]["description"] == "A request was sent to an engine."
    assert methods["POST"]["members"]["ip"]["max_length"] == 45
    assert methods["GET"]["members"]["cluster"]["required"] is True


def test_head_is_get_without_a_body(node: PartialNode) -> None:
    node.add("r")
    get, head = generic("GET", f"{STATS}?cluster=c"), generic("HEAD", f"{STATS}?cluster=c")
    assert (head.status_code, head.content) == (200, b"")
    assert head["Content-Type"] == get["Content-Type"]
    assert generic("HEAD", "/v1/load/prompt").status_code == 405


def test_a_failing_handler_is_a_500_that_tells_nothing(node: PartialNode, caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> bool:
        raise RuntimeError("secret")

    node.health.ready = fail  # type: ignore[method-assign]
    response = generic("GET", "/readyz")
    assert response.status_code == 500
    assert response.json()["error"]["code"] == 50001000
    assert b"secret" not in response.content
    assert "secret" in caplog.text


def test_no_cookie_and_no_token_is_asked_for_or_given(node: PartialNode) -> None:
    client = Client(enforce_csrf_checks=True)
    response = client.post(STATS, {"cluster": "c", "request_id": "r", "ip": "10.0.0.1"}, headers=HTML)
    assert response.status_code == 200
    assert not response.cookies
    assert json.loads(client.delete(STATS, b'{"request_id":"r"}').content)["status"] == "OK"
    assert node.ledger.rows("c")[0].queued_req_num == 0


def test_a_page_without_a_handler_is_a_500(node: PartialNode) -> None:
    node.dispatcher.table = Table([])
    response = Client(raise_request_exception=False).get("/livez")
    assert (response.status_code, response.json()["error"]["code"]) == (500, 50001000)


def test_a_query_is_a_query_even_where_a_form_is_announced(node: PartialNode) -> None:
    node.add("r", cluster="é")
    response = generic("GET", f"{STATS}?cluster=%C3%A9", b"x=y", "application/x-www-form-urlencoded", **HTML)
    assert response.status_code == 200
    assert b"10.0.0.1" in response.content
