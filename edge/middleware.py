# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What the lane does for its own answers, for those of Django: a trace id, a count and an access line for each.

Runs on Django's threads.
"""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseNotAllowed

from edge.acting import acting
from edge.arrival import arrival_of
from edge.dispatcher import Dispatcher
from edge.pages import database_away, not_allowed, problem_response
from runtime.running import part


class EdgeMiddleware:
    """The first middleware.

    It sets `request.trace_id` (bytes) for views, and they set `call_request_id` and `call_reason` for its line in the
    access log. It runs on the thread that makes the page. A duration includes the wait for that thread, for
    `edge.page_app` notes when a request arrives.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        dispatcher = part(Dispatcher)
        arrival = arrival_of(request, dispatcher.trace_ids)
        request.trace_id = arrival.trace_id  # type: ignore[attr-defined]
        with acting(request):
            response = self._get_response(request)
        if isinstance(response, HttpResponseNotAllowed):
            response = not_allowed(request, response)
        response["X-Trace-ID"] = arrival.trace_id.decode("latin-1")
        match = request.resolver_match
        dispatcher.finish_other(
            arrival.trace_id,
            response.status_code,
            method=request.method or "",
            route=None if match is None else f"/{match.route}",
            client=str(request.META.get("REMOTE_ADDR") or ""),
            reason=getattr(request, "call_reason", ""),
            wall_ns=arrival.wall_ns,
            duration_ns=arrival.duration_ns,
            request_id=getattr(request, "call_request_id", ""),
        )
        return response

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Answer 503 while the accounts' database is away, without a traceback for each page."""
        away = database_away(exception)
        return None if away is None else problem_response(request, away)
