# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The doors before Django's views. Runs on Django's threads and keeps nothing.

The admin has its own log-in and permissions, so only the rule about heads holds there. Every other page needs what its
call needs: a stranger may see all pages, unless keys are required.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.urls import reverse

from edge.call import Route
from edge.caller import Caller, Scope
from edge.dispatcher import Dispatcher
from edge.doors import SAFE_METHODS, Doors, Headers, sends_key
from edge.errors import ContractError, Forbidden, Unauthorized
from edge.pages import is_browser, refuse_act
from edge.reach import check_all
from edge.session_caller import csrf_fault, session_caller
from runtime.running import part

ADMIN = "admin"


class PageDoors:
    """The middleware. It sets `request.caller` for views: who calls, None for a stranger."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Refuse a head that no view may answer."""
        problem = part(Dispatcher).doors.head_fault((request.method or "").encode("latin-1"), _fields(request))
        return self._get_response(request) if problem is None else refuse_act(request, problem)

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> HttpResponse | None:
        """Refuse a caller that may not use this view. Called once it is known which view it is."""
        request.caller = None  # type: ignore[attr-defined]
        match = request.resolver_match
        if match is not None and ADMIN in match.namespaces:
            return None
        permission = str(getattr(getattr(view, "cls", None), "permission", ""))
        try:
            request.caller = _caller(request, permission, checks=getattr(view, "checks_clusters", False))  # type: ignore[attr-defined]
        except Unauthorized as problem:
            if request.method in {"GET", "HEAD"} and is_browser(request):
                return HttpResponseRedirect(f"{reverse('admin:login')}?next={quote(request.get_full_path())}")
            return refuse_act(request, problem)
        except ContractError as problem:
            return refuse_act(request, problem)
        return None


def call_headers(request: HttpRequest) -> dict[bytes, bytes]:
    """Return the fields of a request as a handler gets them."""
    return {name.lower().encode("latin-1"): value.encode("latin-1") for name, value in request.headers.items()}


def _caller(request: HttpRequest, permission: str, *, checks: bool) -> Caller | None:
    """Return who may use a view; None for a stranger who may. Raises Unauthorized or Forbidden.

    `checks`: the view shows each caller only the clusters that it may name. Any other page is about all clusters.
    """
    dispatcher = part(Dispatcher)
    doors = dispatcher.doors
    method = request.method or ""
    route = dispatcher.table.find((b"GET" if method == "HEAD" else method.encode("latin-1")), request.path.encode())
    scope = _scope(doors, route)
    if scope is None:
        return None
    headers, client = call_headers(request), str(request.META.get("REMOTE_ADDR") or "")
    changes = method.encode("latin-1") not in SAFE_METHODS
    stranger = doors.stranger_may(scope, headers, client)
    proved: Caller | None = session_caller(request, permission) if changes or not stranger else None
    if proved is None and not changes and not stranger:
        proved = _holder(request, scope)
    if proved is not None and not sends_key(headers):
        if changes and (fault := csrf_fault(request)) is not None:
            raise Forbidden(
                f"this was sent from a page of another site, or its page is too old: load it again ({fault})"
            )
        if stranger and scope not in proved.scopes:
            proved = None
    caller = doors.caller(scope, headers, client, proved)
    if caller is not None and route is None and not checks:
        check_all(caller, request.path)
    return caller


def _holder(request: HttpRequest, scope: Scope) -> Caller | None:
    """Return the holder of the client certificate that the connection was made with, if it has the scope."""
    credentials = request.scope.get("credentials") if isinstance(request, ASGIRequest) else None
    return None if credentials is None else credentials.caller_for(scope)


def _scope(doors: Doors, route: Route | None) -> Scope | None:
    """Return what a view needs: what its call needs, and reading for pages that are no call's."""
    if route is not None:
        return route.scope
    return Scope.READ if doors.required else None


def _fields(request: HttpRequest) -> Headers:
    """Return all fields of a head."""
    if isinstance(request, ASGIRequest):
        fields: Headers = request.scope["headers"]
        return fields
    sent: Mapping[str, str] = request.headers
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in sent.items()]
