# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The edge around what Django answers, under both kinds of server."""

from __future__ import annotations

import re

import pytest
from asgiref.sync import async_to_sync
from django.http import HttpResponse
from django.test import AsyncClient, Client, RequestFactory

from edge.static_files import StaticMiddleware
from tests.unit.partial_node import PartialNode


def meters(node: PartialNode) -> dict[tuple[str, str], dict[int, int]]:
    return {(method, route): meter.statuses for method, route, meter in node.dispatcher.pages.items()}


def test_it_counts_and_logs_every_answer_once(node: PartialNode) -> None:
    client = Client()
    client.post("/v1/load/stats", b'{"cluster":"c","request_id":"r7","ip":"::1"}', "", headers={"TraceId": "t1"})
    client.get("/nope", headers={"TraceId": "t2"})
    client.generic("BREW", "/livez", headers={"TraceId": "t3"})
    assert node.access.lines == [
        ("t1", "r7", "POST", "/v1/load/stats", 200),
        ("t2", "", "GET", "other", 404),
        ("t3", "", "BREW", "/livez", 405),
    ]
    assert meters(node) == {
        ("POST", "/v1/load/stats"): {200: 1},
        ("GET", "other"): {404: 1},
        ("other", "/livez"): {405: 1},
    }


def test_a_refused_call_is_logged_with_its_reason_and_its_client(node: PartialNode) -> None:
    client = Client(REMOTE_ADDR="10.9.8.7")
    client.post("/v1/load/stats", b'{"cluster":"c","request_id":"r","ip":"x"}', "")
    client.get("/nope")
    client.generic("BREW", "/livez")
    client.get("/livez")
    assert node.access.refusals == [
        ("10.9.8.7", "ip: expected an IPv4 or IPv6 address, got 'x'"),
        ("10.9.8.7", "/nope: no such path"),
        ("10.9.8.7", "BREW: expected one of GET, HEAD, OPTIONS"),
        ("10.9.8.7", ""),
    ]


def test_it_does_the_same_on_an_event_loop(node: PartialNode) -> None:
    response = async_to_sync(AsyncClient().get)("/v1/load/stats?cluster=c", headers={"TraceId": "t"})
    assert (response.status_code, response["X-Trace-ID"]) == (200, "t")
    assert node.access.lines == [("t", "", "GET", "/v1/load/stats", 200)]


def test_a_request_without_a_trace_id_is_given_one(node: PartialNode) -> None:
    for headers in ({}, {"TraceId": ""}):
        response = Client().get("/livez", headers=headers)
        assert len(response["X-Trace-ID"]) == 36
        assert response.json()["trace_id"] == response["X-Trace-ID"]


def test_a_trace_id_may_hold_any_byte_and_is_cut(node: PartialNode) -> None:
    response = Client().get("/livez", headers={"TraceId": 'é"' + "x" * 300})
    assert response["X-Trace-ID"] == 'é"' + "x" * 254
    assert response.json()["trace_id"] == response["X-Trace-ID"]


def test_nothing_is_logged_where_the_access_log_is_off(node: PartialNode) -> None:
    node.access.enabled = False
    Client().get("/livez")
    node.dispatcher.access = None
    Client().get("/livez")
    assert node.access.lines == []
    assert meters(node) == {("GET", "/livez"): {200: 2}}


def test_without_a_node_it_says_how_to_start_one() -> None:
    with pytest.raises(RuntimeError, match="start one with `run`"):
        Client().get("/livez")


def test_static_files_are_served_whole() -> None:
    serve = StaticMiddleware(lambda request: HttpResponse("elsewhere"))
    request = RequestFactory()
    style = serve(request.get("/static/console/console.css"))
    assert style["Content-Type"].startswith("text/css")
    assert not style.streaming
    assert int(style["Content-Length"]) == len(style.content)
    part = serve(request.get("/static/console/console.css", headers={"Range": "bytes=0-9"}))
    assert (part.status_code, part.content) == (206, style.content[:10])
    again = serve(request.get("/static/console/console.css", headers={"If-Modified-Since": style["Last-Modified"]}))
    assert (again.status_code, again.content) == (304, b"")
    assert serve(request.head("/static/console/console.css")).content == b""
    assert serve(request.get("/static/nope")).content == b"elsewhere"


def test_a_style_sheet_needs_nothing_from_elsewhere() -> None:
    serve = StaticMiddleware(lambda request: HttpResponse("elsewhere"))
    style = serve(RequestFactory().get("/static/console/console.css")).content.decode()
    assert not re.search(r"url\(|@import|https?:", style)
