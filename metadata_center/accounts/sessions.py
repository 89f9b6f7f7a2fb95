# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""People's log-ins in the database (`SESSION_ENGINE`), with two ends: unused for a while, and in any case.

Runs on Django's threads. The rule is in the store, so that it holds for whatever loads a session.
"""

from __future__ import annotations

from time import time
from typing import Any

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends import db
from django.http import HttpRequest

BEGAN = "metadata_center.began"
SEEN = "metadata_center.seen"
# A session that is used is written anew this often, and not at each page.
REFRESH_SECONDS = 60.0


class SessionStore(db.SessionStore):
    """Django's, and it ends log-ins that are too old.

    A log-in carries two times, in seconds since 1970 and the same on all nodes to what their clocks differ: when it
    began, and when its use was last written down.
    """

    def load(self) -> dict[str, Any]:
        """Return what the session holds. Nothing if the log-in has ended; its row is removed then."""
        data: dict[str, Any] = super().load()
        if SESSION_KEY not in data:
            return data
        now = time()
        if now - data.setdefault(BEGAN, now) >= settings.SESSION_MAX_SECONDS:
            self.flush()
            return {}
        if now - data.get(SEEN, 0.0) >= min(REFRESH_SECONDS, settings.SESSION_COOKIE_AGE / 4):
            self.modified = True  # the middleware writes it
        return data

    def save(self, must_create: bool = False) -> None:
        """Write the session, and that it was used."""
        if SESSION_KEY in self:
            self[SEEN] = time()
        super().save(must_create)

    def get_session_cookie_age(self) -> int:
        """Return for how many seconds the log-in holds from now on if it is not used."""
        age = float(settings.SESSION_COOKIE_AGE)
        if (began := self.get(BEGAN)) is not None:
            age = min(age, began + settings.SESSION_MAX_SECONDS - time())
        return max(0, int(age))


def begin(request: HttpRequest, **_: Any) -> None:
    """Note when a person logged in. Receives `user_logged_in`."""
    request.session[BEGAN] = time()
