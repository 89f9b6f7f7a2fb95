# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What the node watches about itself, and reports when it changes. Each source is looked at once a second.

Owned by the event loop. A look reads plain numbers and never waits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final, Protocol

from loadstats.ledger import TurnedOwner
from runtime.health import HealthReport, PartState
from runtime.notices.kind import Kind, Severity
from runtime.notices.log import NoticeLog
from runtime.periodic import TaskRun

COLD_PATIENCE_SECONDS: Final = 5
"""A node that is filled by then was never worth a notice: it is cold until it has joined."""


class NoticeSource(Protocol):
    """Something that is looked at once a second."""

    def look(self) -> None: ...


class ColdSource:
    """Whether the node is cold. `seconds` returns for how long it has been, 0 if it is not."""

    def __init__(self, log: NoticeLog, seconds: Callable[[], int]) -> None:
        self._log = log
        self._seconds = seconds
        self._reported = False

    def look(self) -> None:
        """Report that the node is cold, or no longer so."""
        seconds = self._seconds()
        if not self._reported and seconds > COLD_PATIENCE_SECONDS:
            self._reported = True
            text = f"Node {self._log.node} is cold: it began with nothing, and may lack requests reported before"
            self._log.report(Kind.COLD_STARTED, text)
        elif self._reported and not seconds:
            self._reported = False
            self._log.report(Kind.COLD_ENDED, f"Node {self._log.node} is no longer cold: it lacks nothing")


class TaskSource:
    """Celery's tasks. `runs` returns each task's runs by its name."""

    def __init__(self, log: NoticeLog, runs: Callable[[], Mapping[str, TaskRun]]) -> None:
        self._log = log
        self._runs = runs
        self._failures: dict[str, int] = {}

    def look(self) -> None:
        """Report tasks that failed since the last look."""
        for task, run in self._runs().items():
            if run.failures > self._failures.get(task, 0):
                self._failures[task] = run.failures
                self._log.report(Kind.TASK_FAILED, f"Task {task} failed: {run.last_error}", item=task)


class GatewaySource:
    """Gateways that fell silent or came back. `turned` returns those since the last call."""

    def __init__(self, log: NoticeLog, turned: Callable[[], Iterable[TurnedOwner]]) -> None:
        self._log = log
        self._turned = turned

    def look(self) -> None:
        """Report them."""
        for name, alive, requests in self._turned():
            if alive:
                self._log.report(Kind.GATEWAY_BACK, f"Gateway {name} sends heartbeats again", gateway=name)
            elif requests:
                orphaned = "its request is orphaned" if requests == 1 else f"its {requests} requests are orphaned"
                text = f"Gateway {name} sends no heartbeats any more: {orphaned}"
                self._log.report(Kind.GATEWAY_SILENT, text, gateway=name)
            else:
                text = f"Gateway {name} sends no heartbeats any more; it had no requests in flight"
                self._log.report(Kind.GATEWAY_SILENT, text, gateway=name, severity=Severity.INFO)


_PARTS: Final[Mapping[str, tuple[Kind, Kind, str]]] = {
    "accounts": (Kind.DATABASE_AWAY, Kind.DATABASE_BACK, "The accounts' database"),
    "snapshot": (Kind.SNAPSHOT_FAILS, Kind.SNAPSHOT_WORKS, "The snapshot"),
    "tls": (Kind.CERTIFICATE_FAULT, Kind.CERTIFICATE_RENEWED, "TLS"),
    "worker": (Kind.WORKER_FAILS, Kind.WORKER_WORKS, "Celery's worker"),
    "beat": (Kind.WORKER_FAILS, Kind.WORKER_WORKS, "Celery's beat"),
}
"""By a part's name: the kind where it fails, the kind where it works again, and what people call it."""
_WRONG: Final = frozenset({PartState.DEGRADED, PartState.FAILED})


class PartSource:
    """The parts of `/readyz` that have no source of their own. `report` returns how they are."""

    def __init__(self, log: NoticeLog, report: Callable[[], HealthReport]) -> None:
        self._log = log
        self._report = report
        self._wrong: set[str] = set()

    def look(self) -> None:
        """Report parts that fail, and those that work again."""
        for part in self._report()["parts"]:
            name, state = part["name"], part["state"]
            if name not in _PARTS:
                continue
            fails, works, words = _PARTS[name]
            if state in _WRONG and name not in self._wrong:
                self._wrong.add(name)
                self._log.report(fails, f"{words} is {state}: {part['detail']}", item=name)
            elif state == PartState.OK and name in self._wrong:
                self._wrong.discard(name)
                self._log.report(works, f"{words} is well again", item=name)
