# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The metrics, and errors outside any app."""

from __future__ import annotations

import asyncio

import pytest
from django.core.exceptions import RequestDataTooBig
from django.http import Http404
from django.http.response import HttpResponseBase
from django.test import AsyncClient, Client, RequestFactory
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text
from rest_framework.exceptions import NotFound, ParseError, PermissionDenied

from edge import pages
from edge.errors import InvalidInput
from tests.unit.partial_node import PartialNode

HTML = {"Accept": "text/html"}


async def scrape(**headers: str) -> tuple[HttpResponseBase, str]:
    response = await AsyncClient().get("/metrics", headers=headers)
    return response, response.content.decode()


def test_metrics_come_as_text_and_as_openmetrics(node: PartialNode) -> None:
    response, text = asyncio.run(scrape())
    assert response["Content-Type"].startswith("text/plain; version=")
    assert list(parse_text(text))
    assert "no-store" in response["Cache-Control"]
    response, text = asyncio.run(scrape(Accept="application/openmetrics-text; version=1.0.0"))
    assert response["Content-Type"].startswith("application/openmetrics-text")
    assert list(parse_openmetrics(text))


def test_metrics_are_only_read(node: PartialNode) -> None:
    assert Client().head("/metrics").status_code == 200
    response = Client(enforce_csrf_checks=True).post("/metrics")
    assert (response.status_code, response["Allow"]) == (405, "GET, HEAD")
    assert response.json()["error"]["code"] == 40501000


def test_an_unknown_path_is_404_in_the_envelope(node: PartialNode) -> None:
    response = Client().get("/v1/load/status", headers={"TraceId": "t"})
    assert response.status_code == 404
    assert response["Content-Type"] == "application/json; charset=utf-8"
    assert response.json() == {
        "status": "ERROR",
        "error": {"code": 40401000, "message": "not found", "reason": "/v1/load/status: no such path"},
        "data": None,
        "trace_id": "t",
    }


def test_a_call_between_nodes_has_no_page_but_its_path_is_known(node: PartialNode) -> None:
    wrong = Client().get("/v1/replica/push")
    assert (wrong.status_code, wrong["Allow"]) == (405, "POST")
    assert wrong.json()["error"]["code"] == 40501000
    assert Client().post("/v1/replica/push", headers=HTML).status_code == 404


def test_a_browser_is_shown_a_page_instead(node: PartialNode) -> None:
    response = Client().get("/<script>alert(1)</script>", headers=HTML)
    assert response.status_code == 404
    assert response["Content-Security-Policy"] == pages.CONTENT_SECURITY_POLICY
    assert "&lt;script&gt;alert(1)&lt;/script&gt;: no such path" in response.content.decode()
    assert response["X-Trace-ID"] in response.content.decode()


@pytest.mark.parametrize("headers", [{}, HTML])
def test_a_host_that_is_not_served_is_400(node: PartialNode, headers: dict[str, str]) -> None:
    response = Client().get("/livez", headers={"Host": "evil.example", **headers})
    assert response.status_code == 400
    if not headers:
        assert response.json()["error"]["code"] == 40001400


@pytest.mark.parametrize("headers", [{}, HTML])
def test_a_view_that_fails_is_500_and_tells_nothing(node: PartialNode, headers: dict[str, str]) -> None:
    def fail() -> None:
        raise RuntimeError("secret")

    node.health.report = fail  # type: ignore[method-assign, assignment]
    response = Client(raise_request_exception=False).get("/", headers=headers)
    assert response.status_code == 500
    assert b"secret" not in response.content
    if not headers:
        assert response.json()["error"]["code"] == 50001000


def test_a_body_over_djangos_limits_is_413(node: PartialNode) -> None:
    request = RequestFactory().get("/")
    request.trace_id = b"t"  # type: ignore[attr-defined]
    assert pages.bad_request(request, RequestDataTooBig()).status_code == 413
    assert pages.bad_request(request, ValueError()).status_code == 400


def test_errors_of_the_rest_framework_are_put_in_the_envelope(node: PartialNode) -> None:
    request = RequestFactory().get("/x")
    request.trace_id = b"t"  # type: ignore[attr-defined]
    for error, status in ((InvalidInput("x"), 400), (Http404(), 404), (NotFound(), 404), (ParseError("x"), 400)):
        response = pages.exception_response(error, {"request": request})
        assert response is not None
        assert response.status_code == status
        assert b'"trace_id":"t"' in response.data
    assert pages.exception_response(PermissionDenied(), {"request": request}) is None
