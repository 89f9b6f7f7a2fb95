# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Who acts in Django's code at the moment: the person whose request is served, or who runs a command.

Django's signals say what changed and not who changed it. Each request sets its own value for the time of its page, in
the context of the thread that makes it.
"""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from django.http import HttpRequest
from msgspec import Struct

_request: ContextVar[HttpRequest | None] = ContextVar("request", default=None)


class Actor(Struct, frozen=True):
    """Who acts.

    `who`: `user NAME`, `address ADDRESS` of someone who is not logged in, or `command line of NAME`.
    `client`: the address that the request came from; empty for a command.
    """

    who: str
    client: str


@contextmanager
def acting(request: HttpRequest) -> Iterator[None]:
    """Let `current_actor` find this request's person, until the context ends."""
    token = _request.set(request)
    try:
        yield
    finally:
        _request.reset(token)


def current_actor() -> Actor:
    """Return who acts."""
    request = _request.get()
    if request is None:
        return Actor(f"command line of {_system_user()}", "")
    return actor_of(request)


def actor_of(request: HttpRequest) -> Actor:
    """Return whose request it is."""
    client = str(request.META.get("REMOTE_ADDR") or "")
    user = getattr(request, "user", None)
    if user is not None and user.is_authenticated:
        return Actor(f"user {user.get_username()}", client)
    return Actor(f"address {client or 'unknown'}", client)


def _system_user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return "an unnamed user"
