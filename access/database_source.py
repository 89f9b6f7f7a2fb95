# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The keys of the database. Owned by the thread that watches it; the event loop never comes here."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from time import monotonic

from django.db import close_old_connections, connection, transaction
from django.db.models import Count, Sum
from django.utils import timezone

from access.grant import Grant, grant, scope_fault
from access.models import AccessKey
from runtime.config.error import shown

logger = logging.getLogger("access")

USED_SECONDS = 60.0  # between two writes of what was used
CHUNK = 500  # rows of one update


class DatabaseSource:
    """The rows of `AccessKey` that are not revoked. Rows are read only if the sum of their marks changed.

    `monotonic`: returns monotonic seconds.
    `now`: returns the wall clock.
    """

    name = "database"

    def __init__(
        self, *, monotonic: Callable[[], float] = monotonic, now: Callable[[], datetime] = timezone.now
    ) -> None:
        self._monotonic = monotonic
        self._now = now
        self._seen: tuple[int, int] | None = None
        self._written_at = monotonic()

    def look(self) -> list[Grant] | None:
        """Return the keys; None if no row changed. Raises django.db.Error while the database is away."""
        if connection.settings_dict["CONN_MAX_AGE"] or connection.errors_occurred:
            close_old_connections()  # one that broke is opened anew; SQLite's would be each time, for a millisecond
        sums = AccessKey.objects.aggregate(rows=Count("id"), marks=Sum("mark"))
        seen = sums["rows"], sums["marks"] or 0
        if seen == self._seen:
            return None
        # A row that changes between the two reads is read now, and makes the next look read once more.
        rows = AccessKey.objects.filter(revoked_at__isnull=True).order_by("created_at", "id")
        found = [each for each in map(_grant, rows) if each is not None]
        self._seen = seen
        return found

    def note_used(self, grants: list[Grant]) -> None:
        """Write down, once a minute, which keys were used. Raises django.db.Error."""
        now = self._monotonic()
        if now - self._written_at < USED_SECONDS:
            return
        self._written_at = now
        used = [each for each in grants if each.used]
        for each in used:
            each.used = False  # before the write: a use meanwhile counts for the next one
        for start in range(0, len(used), CHUNK):
            rows = [each.row for each in used[start : start + CHUNK]]
            with transaction.atomic():
                AccessKey.objects.filter(pk__in=rows).update(last_used_at=self._now())

    def close(self) -> None:
        """Close this thread's connection."""
        connection.close()


def _grant(row: AccessKey) -> Grant | None:
    """Return what a row grants; None if it can't be read: one wrong row must not keep others from being revoked.

    A scope that only another release knows grants nothing here.
    """
    try:
        return grant(
            row.name,
            bytes.fromhex(row.digest),
            [each for each in row.scopes if not scope_fault(each)],
            row.clusters,
            None if row.expires_at is None else row.expires_at.timestamp(),
            row.pk,
        )
    except (TypeError, ValueError) as error:
        logger.error("key %s of the database does not hold: %s", shown(row.name), error)  # noqa: TRY400
        return None
