# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The kinds of notices, and how grave each is. Immutable.

docs/operations.md says of each kind what it means and what to do.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class Severity(StrEnum):
    """How grave a notice is. Declared from the least to the most."""

    INFO = "info"
    """Worth knowing."""
    WARNING = "warning"
    """Should be looked at."""
    ERROR = "error"
    """Something does not work."""

    @property
    def rank(self) -> int:
        """Return its place in the order, 0 for the least grave."""
        return _RANKS[self]


_RANKS: Final = {severity: rank for rank, severity in enumerate(Severity)}


class Kind(StrEnum):
    """What a notice reports."""

    NODE_STARTED = "node_started"
    NODE_RESTORED = "node_restored"
    NODE_STOPPED = "node_stopped"
    COLD_STARTED = "cold_started"
    COLD_ENDED = "cold_ended"
    PEER_JOINED = "peer_joined"
    PEER_LOST = "peer_lost"
    PEER_LEFT = "peer_left"
    PULLS_FAIL = "pulls_fail"
    PULLS_WORK = "pulls_work"
    SNAPSHOT_SET_ASIDE = "snapshot_set_aside"
    SNAPSHOT_FAILS = "snapshot_fails"
    SNAPSHOT_WORKS = "snapshot_works"
    DATABASE_AWAY = "database_away"
    DATABASE_BACK = "database_back"
    CERTIFICATE_FAULT = "certificate_fault"
    CERTIFICATE_RENEWED = "certificate_renewed"
    WORKER_FAILS = "worker_fails"
    WORKER_WORKS = "worker_works"
    TASK_FAILED = "task_failed"
    OPERATOR_ACT = "operator_act"
    OPERATOR_REFUSED = "operator_refused"
    LOG_LEVEL_CHANGED = "log_level_changed"
    ENGINE_DROPPED = "engine_dropped"
    CAP_REACHED = "cap_reached"
    QUOTA_REACHED = "quota_reached"
    GATEWAY_SILENT = "gateway_silent"
    GATEWAY_BACK = "gateway_back"


SEVERITIES: Final[Mapping[Kind, Severity]] = {
    Kind.COLD_STARTED: Severity.WARNING,
    Kind.PEER_LOST: Severity.ERROR,
    Kind.PULLS_FAIL: Severity.WARNING,
    Kind.SNAPSHOT_SET_ASIDE: Severity.ERROR,
    Kind.SNAPSHOT_FAILS: Severity.ERROR,
    Kind.DATABASE_AWAY: Severity.ERROR,
    Kind.CERTIFICATE_FAULT: Severity.WARNING,
    Kind.WORKER_FAILS: Severity.ERROR,
    Kind.TASK_FAILED: Severity.ERROR,
    Kind.OPERATOR_REFUSED: Severity.WARNING,
    Kind.CAP_REACHED: Severity.ERROR,
    Kind.QUOTA_REACHED: Severity.WARNING,
    Kind.GATEWAY_SILENT: Severity.WARNING,
}
"""Of the kinds that are more than `INFO`."""

SEEN_BY_ALL: Final = frozenset({Kind.GATEWAY_SILENT, Kind.GATEWAY_BACK})
"""Kinds that every node notices by itself: shown once."""
