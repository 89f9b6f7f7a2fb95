# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What the lane does for its own answers, for those of Django: a trace id, a count and an access line for each.

And the pages' static files. Runs on the event loop.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from io import BytesIO
from time import perf_counter_ns, time_ns
from typing import Any

from asgiref.sync import markcoroutinefunction
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from whitenoise.middleware import WhiteNoiseMiddleware  # type: ignore[import-untyped]

from edge.dispatcher import Dispatcher
from runtime.running import part


class EdgeMiddleware:
    """The first middleware.

    It sets `request.trace_id` (bytes) for views, and they set `call_request_id` and `call_reason` for its line. It
    runs on the event loop, so that a duration includes the wait for Django's thread. It is asynchronous only: if it
    could do both, Django would run it on that thread.
    """

    sync_capable = False
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Awaitable[HttpResponseBase]]) -> None:
        self._get_response = get_response
        markcoroutinefunction(self)

    async def __call__(self, request: HttpRequest) -> HttpResponseBase:
        wall_ns, started_ns = time_ns(), perf_counter_ns()
        dispatcher = part(Dispatcher)
        trace_bytes = dispatcher.trace_ids.of(request.headers.get("TraceId", "").encode("latin-1", "replace"))
        request.trace_id = trace_bytes  # type: ignore[attr-defined]
        response = await self._get_response(request)
        response["X-Trace-ID"] = trace_bytes.decode("latin-1")
        match = request.resolver_match
        dispatcher.finish_other(
            trace_bytes,
            response.status_code,
            method=request.method or "",
            route=None if match is None else f"/{match.route}",
            client=str(request.META.get("REMOTE_ADDR") or ""),
            reason=getattr(request, "call_reason", ""),
            wall_ns=wall_ns,
            duration_ns=perf_counter_ns() - started_ns,
            request_id=getattr(request, "call_request_id", ""),
        )
        return response


class StaticMiddleware(WhiteNoiseMiddleware):  # type: ignore[misc] # untyped
    """WhiteNoise with whole answers. Django would gather streamed ones itself on an event loop, with a warning."""

    @staticmethod
    def serve(static_file: Any, request: HttpRequest) -> HttpResponse:
        """Return the file's answer. The largest, Swagger UI's script, has 1.6 MB."""
        answer = static_file.get_response(request.method, request.META)
        with answer.file or BytesIO() as file:
            return HttpResponse(file.read(), status=int(answer.status), headers=dict(answer.headers))
