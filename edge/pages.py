# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What Django answers outside any app: the metrics, and errors in the contract's envelope. Runs on Django's threads."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from django.core.exceptions import RequestDataTooBig
from django.db import DatabaseError, InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from prometheus_client import REGISTRY
from prometheus_client.exposition import choose_encoder
from rest_framework import exceptions
from rest_framework.response import Response

from edge import envelope
from edge.acting import actor_of
from edge.asgi import wants_page
from edge.audit import Audit
from edge.caller import Scope
from edge.dispatcher import Dispatcher
from edge.errors import (
    BodyTooLarge,
    ContractError,
    Forbidden,
    InternalError,
    InvalidInput,
    MethodNotAllowed,
    NotFound,
    Unauthorized,
    Unavailable,
)
from edge.trailing_slash import find_redirect
from runtime.config import Config
from runtime.metrics.exposition import pieces
from runtime.metrics.meter import PageMeters
from runtime.running import part

Parameters = ParamSpec("Parameters")
View = Callable[Concatenate[HttpRequest, Parameters], HttpResponseBase]
ResponseT = TypeVar("ResponseT", bound=HttpResponseBase)

READS = ("GET", "HEAD")
RETRY_SECONDS = 5
# Of this class and none below it: SQLite says so of a file that is no database.
DATABASE_AWAY = frozenset({DatabaseError})
METRICS = "/metrics"
AUTHENTICATE = "Bearer"  # of every 401, which must say how to prove who calls

# Names of clusters come from clients: nothing in a page runs or loads but what this node serves as a file.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)


@csrf_exempt  # refused by its method, in the envelope
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """`GET /metrics`: Prometheus text, or OpenMetrics where the scraper asks for it."""
    if request.method not in READS:
        return problem_response(request, _other_method(request))
    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    return HttpResponse(pieces(REGISTRY.collect(), encode), content_type=content_type)


def page(view: View[Parameters]) -> View[Parameters]:
    """Return the view as one for people: read only, never cached, under the content security policy."""

    @csrf_exempt  # refused by its method, in the envelope
    @never_cache
    @wraps(view)
    def guarded(request: HttpRequest, /, *args: Parameters.args, **kwargs: Parameters.kwargs) -> HttpResponseBase:
        if request.method not in READS:
            return problem_response(request, _other_method(request))
        return locked(view(request, *args, **kwargs))

    return guarded


def within_clusters(view: View[Parameters]) -> View[Parameters]:
    """Return the view as one that shows each caller only the clusters that it may name: see `PageDoors`."""
    view.checks_clusters = True  # type: ignore[attr-defined]
    return view


def locked(response: ResponseT) -> ResponseT:
    """Return the response with the content security policy, unless it has one of its own."""
    response.setdefault("Content-Security-Policy", CONTENT_SECURITY_POLICY)
    return response


def refuse_act(request: HttpRequest, problem: ContractError) -> HttpResponse:
    """Return the answer to someone who may not do this; what would have changed the node goes to the audit trail."""
    act = _act(request)
    if act:
        actor = actor_of(request)
        part(Audit).refused(act, actor.who, actor.client, {"path": request.path, "reason": problem.reason})
    return problem_response(request, problem)


def _act(request: HttpRequest) -> str:
    """Return what a request would have changed; empty if nothing, or only what gateways change."""
    if request.method in READS:
        return ""
    route = part(Dispatcher).table.find(
        (request.method or "").encode(), request.path.encode("utf-8", "surrogateescape")
    )
    if route is not None:
        return f"{route.method} {route.path}" if route.scope is Scope.OPERATE else ""
    if not request.path.startswith("/admin/"):
        return ""
    method = request.method if request.method in PageMeters.METHODS else "other"
    match = request.resolver_match
    return f"{method} /{match.route if match is not None else 'admin/'}"


def is_browser(request: HttpRequest) -> bool:
    """Return whether to answer with a page, by the same rule as the lane."""
    return wants_page(request.headers.get("Accept", "").encode("latin-1", "replace"))


def trace_id(request: HttpRequest) -> bytes:
    """Return the request's trace id, as the middleware has set it; empty if the middleware itself failed."""
    trace_id: bytes = getattr(request, "trace_id", b"")
    return trace_id


def data_response(request: HttpRequest, data: bytes) -> HttpResponse:
    """Return a 200 in the envelope. `data` is JSON."""
    body = envelope.ok(data, envelope.json_text(trace_id(request)))
    return HttpResponse(body, content_type=envelope.CONTENT_TYPE.decode())


def problem_response(request: HttpRequest, problem: ContractError) -> HttpResponse:
    """Return an error as a page for a browser, in the envelope for all others."""
    request.call_reason = problem.reason  # type: ignore[attr-defined] # for the access log
    if is_browser(request):
        context = {"problem": problem, "trace_id": trace_id(request).decode("latin-1")}
        response = locked(render(request, "problem.html", context, status=problem.status))
    else:
        status, body = Dispatcher.refuse(problem, trace_id(request))
        response = HttpResponse(body, status=status, content_type=envelope.CONTENT_TYPE.decode())
    if isinstance(problem, Unauthorized):
        response["WWW-Authenticate"] = AUTHENTICATE
    if isinstance(problem, MethodNotAllowed):
        response["Allow"] = ", ".join(problem.allow)
    if isinstance(problem, Unavailable):
        response["Retry-After"] = str(RETRY_SECONDS)
    return response


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler404; 405 for the path of a call that has no page, as those between nodes.

    A call's path with a slash too many is redirected.
    """
    table = part(Dispatcher).table
    query = str(request.META.get("QUERY_STRING", ""))
    if (redirect := find_redirect(table, request.method or "", request.path, query)) is not None:
        return HttpResponse(status=redirect.status, headers={"Location": redirect.location})
    allow = tuple(route.method for route in table if route.path == request.path)
    if allow and request.method not in allow:
        return problem_response(request, _other_method(request, allow))
    return problem_response(request, NotFound(f"{request.path}: no such path"))


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler400: a Host it does not serve, a body over its limits."""
    if isinstance(exception, RequestDataTooBig):
        return problem_response(request, too_large())
    return problem_response(request, InvalidInput("request: refused as it came"))


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler403: signed in, and without the permission."""
    return refuse_act(request, Forbidden(f"{request.path}: your account may not do this"))


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Django's CSRF_FAILURE_VIEW: a form without the token of its page, or sent from a page of another site."""
    words = "this form was sent from another site, or its page is too old: load the page again and send it once more"
    return refuse_act(request, Forbidden(f"{words} ({reason.rstrip('.')})" if reason else words))


def not_allowed(request: HttpRequest, response: HttpResponseNotAllowed) -> HttpResponse:
    """Return the answer for a method that a view refuses. Django's own has no words."""
    return problem_response(request, _other_method(request, response["Allow"].split(", ")))


def database_away(error: BaseException | None) -> Unavailable | None:
    """Return the answer for an error that says that the accounts' database does not work; None for any other error.

    A wrong statement or a missing table is a fault of ours, and not this.
    """
    if type(error) not in DATABASE_AWAY and not isinstance(error, OperationalError | InterfaceError):
        return None
    return Unavailable(
        "the database of people's accounts does not answer: what needs an account has to wait until it does; "
        "load is counted and served as ever"
    )


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's handler500. The cause is in the log."""
    if (away := database_away(sys.exception())) is not None:
        return problem_response(request, away)
    return problem_response(request, InternalError("the log has the cause, under this trace id"))


def too_large() -> BodyTooLarge:
    """Return the error for a body over the limit, in the lane's words."""
    return BodyTooLarge(f"body: expected at most {part(Config).http.max_body_bytes} bytes")


def exception_response(error: Exception, context: dict[str, Any]) -> Response | None:
    """Return REST framework's errors in the contract's envelope; None leaves the error to Django."""
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
        case _:
            return None
    getattr(request, "_request", request).call_reason = problem.reason  # for the access log
    status, body = Dispatcher.refuse(problem, trace_id(request))
    return Response(body, status=status)


def _other_method(request: HttpRequest, allow: Iterable[str] = READS) -> MethodNotAllowed:
    allowed = tuple(allow)
    return MethodNotAllowed(f"{request.method}: expected one of {', '.join(allowed)}", allow=allowed)
