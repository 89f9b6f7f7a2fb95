# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Which sessions have ended: by log-out, by time, or because their account may no longer sign in as it did. Stateless.

Any thread that may use the database calls it. The answer is the database's, so it shows what another node or a command
changed there.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.utils import timezone

from edge.session_caller import SignedIn

CHUNK = 500  # sessions of one query: SQLite takes so many parameters everywhere


def ended_sessions(sessions: Collection[SignedIn]) -> frozenset[SignedIn]:
    """Return those that let their person in no longer. Two queries for each 500. Raises django.db.Error.

    A session has ended if its row is gone or too old, or if its account is gone, disabled, no staff any more, or has
    another password.
    """
    listed = list(sessions)
    ended: set[SignedIn] = set()
    for start in range(0, len(listed), CHUNK):
        ended |= _ended(listed[start : start + CHUNK])
    return frozenset(ended)


def _ended(sessions: Sequence[SignedIn]) -> set[SignedIn]:
    keys = [each.session_key for each in sessions]
    rows = Session.objects.filter(session_key__in=keys, expire_date__gt=timezone.now())
    open_keys = set(rows.values_list("session_key", flat=True))
    accounts = User.objects.filter(pk__in={each.account for each in sessions}, is_active=True, is_staff=True)
    hashes = {user.pk: user.get_session_auth_hash() for user in accounts.only("password")}
    return {
        each for each in sessions if each.session_key not in open_keys or hashes.get(each.account) != each.auth_hash
    }
