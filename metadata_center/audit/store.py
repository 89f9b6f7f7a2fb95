# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The audit trail's table: lines in, old ones out. Without state; any thread that may use the database calls it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from django.db import transaction

from edge.audit import AuditLine
from metadata_center.models import AuditEntry

MOST_DELETED = 1000
"""Rows removed by one statement: SQLite lets nobody else write meanwhile."""


class AuditStore:
    """The table, for one node.

    `node`: the node's name, which each row carries: nodes may share a database.
    `max_entries`, `max_age_seconds`: what is kept, of all nodes together.
    """

    def __init__(self, node: str, max_entries: int, max_age_seconds: float) -> None:
        self._node = node
        self._max_entries = max_entries
        self._max_age_seconds = max_age_seconds

    def save(self, lines: Sequence[AuditLine]) -> None:
        """Write lines in one transaction. Raises `django.db.Error`."""
        with transaction.atomic():
            AuditEntry.objects.bulk_create([self._row(line) for line in lines])

    def prune(self, now: float) -> int:
        """Remove what is too old or too much. `now` in seconds since 1970. Returns how many rows went.

        Raises `django.db.Error`.
        """
        removed = 0
        oldest = datetime.fromtimestamp(now, UTC) - timedelta(seconds=self._max_age_seconds)
        entries = AuditEntry.objects.order_by("id")
        while gone := self._delete(list(entries.filter(time__lt=oldest).values_list("id", flat=True)[:MOST_DELETED])):
            removed += gone
        beyond = AuditEntry.objects.order_by("-id").values_list("id", flat=True)[self._max_entries :]
        while gone := self._delete(list(beyond[:MOST_DELETED])):
            removed += gone
        return removed

    @staticmethod
    def _delete(ids: list[int]) -> int:
        return AuditEntry.objects.filter(id__in=ids).delete()[0] if ids else 0

    def _row(self, line: AuditLine) -> AuditEntry:
        return AuditEntry(
            time=datetime.fromtimestamp(line.time, UTC),
            node=self._node,
            act=line.act,
            outcome=str(line.outcome),
            who=line.who,
            client=line.client,
            what=line.what,
        )
