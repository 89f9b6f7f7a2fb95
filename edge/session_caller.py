# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""People who are signed in, as callers. Runs on Django's threads, for it reads the accounts.

A browser sends the cookie of a session with every request, whichever page asked for it. So what changes something needs
the token of one of the node's own pages as well (Django's CSRF check), although the views of calls are exempt from it:
gateways call them too.
"""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.auth.models import User
from django.contrib.sessions.middleware import SessionMiddleware
from django.db import Error, close_old_connections
from django.http import HttpRequest, HttpResponse, parse_cookie
from rest_framework.authentication import CSRFCheck

from edge.caller import Caller, Scope
from edge.pages import database_away

READER = frozenset({Scope.READ})
OPERATOR = frozenset({Scope.READ, Scope.WRITE, Scope.OPERATE})


class SignedIn(Caller, frozen=True):
    """A person who is signed in, with what has to stay so that they are. It is as secret as the cookie.

    `session_key`: of the session.
    `account`: the primary key of the account.
    `auth_hash`: changes with the account's password.
    """

    session_key: str = ""
    account: int = 0
    auth_hash: str = ""

    def __repr__(self) -> str:
        return f"SignedIn({self.name!r})"


def session_caller(request: HttpRequest, permission: str) -> SignedIn | None:
    """Return who is signed in; None if there is no session, or its account may not come here.

    `permission`: what the account needs to change something by this request; empty: only a superuser may.
    Raises Unavailable while the accounts' database is away.
    """
    if settings.SESSION_COOKIE_NAME not in request.COOKIES:
        return None
    try:
        return _signed_in(request, permission)
    except Error as error:
        if (away := database_away(error)) is not None:
            raise away from None
        raise


def _signed_in(request: HttpRequest, permission: str) -> SignedIn | None:
    user = request.user
    if not isinstance(user, User) or not (user.is_active and user.is_staff):
        return None
    return SignedIn(
        f"user {user.get_username()}",
        OPERATOR if user.has_perm(permission) else READER,
        session_key=request.session.session_key or "",
        account=user.pk,
        auth_hash=user.get_session_auth_hash(),
    )


def csrf_fault(request: HttpRequest) -> str | None:
    """Return why a request does not come from a page of this node, as Django judges it; None if it does."""
    request.body  # noqa: B018 kept for the view: the check may read the token from it
    check = CSRFCheck(_nothing)
    check.process_request(request)
    reason = check.process_view(request, None, (), {})  # type: ignore[arg-type] # of this subclass
    return None if reason is None else str(reason)


def cookie_caller(cookies: str) -> SignedIn | None:
    """Return who is signed in, by a `Cookie` header alone: of a handshake, or of a call that waits."""
    request = HttpRequest()
    request.COOKIES = parse_cookie(cookies)
    for middleware in (SessionMiddleware(_nothing), AuthenticationMiddleware(_nothing)):
        middleware.process_request(request)
    return session_caller(request, "")


def cookie_caller_of_thread(cookies: str) -> SignedIn | None:
    """Return the same on a thread that no request of Django's has: it may hold a connection that broke."""
    close_old_connections()
    try:
        return cookie_caller(cookies)
    finally:
        close_old_connections()


def _nothing(request: HttpRequest) -> HttpResponse:
    return HttpResponse()
