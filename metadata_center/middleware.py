# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The edge for what Django answers: a trace id, one count and one access line for each, as the lane does for its own.

First of the middlewares. Asynchronous where the server is, so that it costs no change of threads.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from time import perf_counter_ns, time_ns

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest, HttpResponseBase

from metadata_center.apps import running_node

Get = Callable[[HttpRequest], HttpResponseBase | Awaitable[HttpResponseBase]]


class EdgeMiddleware:
    """`request.trace_id` (bytes) is set for whoever needs it further in."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Get) -> None:
        self._get_response = get_response
        self._async = iscoroutinefunction(get_response)
        if self._async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        if self._async:
            return self._later(request)
        begun = _begin(request)
        response = self._get_response(request)
        assert isinstance(response, HttpResponseBase)
        return _end(request, response, *begun)

    async def _later(self, request: HttpRequest) -> HttpResponseBase:
        begun = _begin(request)
        awaitable = self._get_response(request)
        assert not isinstance(awaitable, HttpResponseBase)
        return _end(request, await awaitable, *begun)


def _begin(request: HttpRequest) -> tuple[int, int]:
    header = request.headers.get("TraceId", "").encode("latin-1", "replace")
    request.trace_id = running_node().edge.trace_ids.of(header)  # type: ignore[attr-defined]
    return time_ns(), perf_counter_ns()


def _end(request: HttpRequest, response: HttpResponseBase, wall_ns: int, started_ns: int) -> HttpResponseBase:
    trace_id = request.trace_id.decode("latin-1")  # type: ignore[attr-defined]
    response["X-Trace-ID"] = trace_id
    match = request.resolver_match
    route = None if match is None else f"/{match.route}"
    method = request.method or ""
    edge = running_node().edge
    duration_ns = perf_counter_ns() - started_ns
    edge.pages.record(method, route, response.status_code, duration_ns)
    access = edge.access
    if access is not None and access.enabled:
        request_id = getattr(request, "call_request_id", "")
        access.record(wall_ns, trace_id, request_id, method, route or "other", response.status_code, duration_ns)
    return response
