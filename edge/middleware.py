# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What the lane does for its own answers, for those of Django: a trace id, a count and an access line for each.

And the pages' static files. Runs on Django's threads.
"""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseNotAllowed
from whitenoise.middleware import WhiteNoiseMiddleware  # type: ignore[import-untyped]

from edge.arrival import arrival_of
from edge.dispatcher import Dispatcher
from edge.kept_pages import MadeOnce
from edge.pages import READS, not_allowed
from runtime.running import part


class EdgeMiddleware:
    """The first middleware. It sets `request.trace_id` (bytes) for views and reads `request.call_request_id` from them.

    It runs on the thread that makes the page. A duration includes the wait for that thread, for `edge.page_app` notes
    when a request arrives.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        dispatcher = part(Dispatcher)
        arrival = arrival_of(request, dispatcher.trace_ids)
        request.trace_id = arrival.trace_id  # type: ignore[attr-defined]
        response = self._get_response(request)
        if isinstance(response, HttpResponseNotAllowed):
            response = not_allowed(request, response)
        trace_id = arrival.trace_id.decode("latin-1")
        response["X-Trace-ID"] = trace_id
        match = request.resolver_match
        route = None if match is None else f"/{match.route}"
        method, duration_ns = request.method or "", arrival.duration_ns
        dispatcher.pages.record(method, route, response.status_code, duration_ns)
        access = dispatcher.access
        if access is not None and access.enabled:
            request_id = getattr(request, "call_request_id", "")
            status = response.status_code
            access.record(arrival.wall_ns, trace_id, request_id, method, route or "other", status, duration_ns)
        return response


class StaticMiddleware(WhiteNoiseMiddleware):  # type: ignore[misc] # untyped
    """WhiteNoise with whole answers, which are kept."""

    @staticmethod
    def serve(static_file: Any, request: HttpRequest) -> HttpResponse:
        """Return the file's answer. The largest, Swagger UI's script, has 1.6 MB."""
        if request.method not in READS:
            return HttpResponseNotAllowed(READS)
        answer = static_file.get_response(request.method, request.META)
        with answer.file or BytesIO() as file:
            return MadeOnce(file.read(), status=int(answer.status), headers=dict(answer.headers))
