# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What Django answers outside any app: the metrics, and errors in the contract's envelope. Runs on Django's threads."""

from __future__ import annotations

import logging
from typing import Any

from asgiref.sync import sync_to_async
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from prometheus_client import REGISTRY
from prometheus_client.exposition import choose_encoder
from rest_framework import exceptions
from rest_framework.response import Response

from metadata_center.apps import running_node
from metadata_center.errors import ContractError, InternalError, InvalidInput, MethodNotAllowed, NotFound
from metadata_center.http.asgi import wants_page
from metadata_center.http.envelope import CONTENT_TYPE

logger = logging.getLogger("metadata_center.pages")


@never_cache
async def metrics(request: HttpRequest) -> HttpResponse:
    """`GET /metrics`: Prometheus text, or OpenMetrics where the scraper asks for it.

    Rendered on a thread of its own: a scrape of 10,000 engines takes a while, and others' pages need not wait.
    """
    if request.method not in {"GET", "HEAD"}:
        return problem_response(request, MethodNotAllowed(f"{request.method}: expected GET", allow=("GET", "HEAD")))
    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    body = await sync_to_async(encode, thread_sensitive=False)(REGISTRY)
    return HttpResponse(body, content_type=content_type)


def problem_response(request: HttpRequest, problem: ContractError) -> HttpResponse:
    """An error as a page for a browser, in the envelope for everyone else."""
    if wants_page(request.headers.get("Accept", "").encode("latin-1", "replace")):
        response = render(request, "problem.html", {"problem": problem}, status=problem.status)
    else:
        trace_id = getattr(request, "trace_id", b"")
        _, body = running_node().edge.refuse(problem, trace_id)
        response = HttpResponse(body, status=problem.status, content_type=CONTENT_TYPE.decode())
    if isinstance(problem, MethodNotAllowed):
        response["Allow"] = ", ".join(problem.allow)
    return response


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler404."""
    return problem_response(request, NotFound(f"{request.path}: no such path"))


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler400: a Host it does not serve, a body over its limits."""
    return problem_response(request, InvalidInput("request: refused as it came"))


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's handler500. The cause is in the log."""
    return problem_response(request, InternalError("the log has the cause, under this trace id"))


def exception_response(error: Exception, context: dict[str, Any]) -> HttpResponseBase | None:
    """REST framework's errors in the contract's envelope; None leaves the error to Django."""
    request = context["request"]
    problem: ContractError
    match error:
        case ContractError():
            problem = error
        case exceptions.MethodNotAllowed():
            allow = tuple(context["view"].allowed_methods)
            problem = MethodNotAllowed(f"{request.method}: expected one of {', '.join(allow)}", allow=allow)
        case Http404() | exceptions.NotFound():
            problem = NotFound(f"{request.path}: no such thing")
        case exceptions.ParseError() | exceptions.UnsupportedMediaType() | exceptions.ValidationError():
            problem = InvalidInput(f"body: {error.detail}")
        case PermissionDenied() | exceptions.PermissionDenied():
            return None
        case _:
            return None
    _, body = running_node().edge.refuse(problem, getattr(request, "trace_id", b""))
    import msgspec

    headers = {"Allow": ", ".join(problem.allow)} if isinstance(problem, MethodNotAllowed) else None
    return Response(msgspec.json.decode(body), status=problem.status, headers=headers)
