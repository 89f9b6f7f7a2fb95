# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What who looks at a page may do from it, so that it offers no more. Runs on Django's threads.

The operation itself asks again: a page may be older than a log-in.
"""

from __future__ import annotations

from enum import StrEnum

from django.conf import settings
from django.contrib.auth.models import User
from django.db import Error
from django.http import HttpRequest

DROP_ENGINES = ("loadstats.view_engine", "loadstats.forget_engine")
END_REQUESTS = ("loadstats.view_request", "loadstats.end_request")


class Permission(StrEnum):
    """Whether a page offers an operation."""

    ALLOWED = "allowed"
    BARRED = "barred"
    """The account may not do it."""
    STRANGER = "stranger"
    """Nobody is signed in: a log-in may help."""


def permission_of(request: HttpRequest, needed: tuple[str, ...]) -> Permission:
    """Return whether the person who asks may do what needs these permissions.

    The accounts are read if there is the cookie of a session. While their database is away, nobody is signed in.
    """
    if settings.SESSION_COOKIE_NAME not in request.COOKIES:
        return Permission.STRANGER
    try:
        user = request.user
        if not isinstance(user, User) or not (user.is_active and user.is_staff):
            return Permission.STRANGER
        return Permission.ALLOWED if user.has_perms(needed) else Permission.BARRED
    except Error:
        return Permission.STRANGER
