# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Brings the audit trail's lines to their table, on a thread of its own. No one waits for it.

`put` appends to a bounded queue, from any thread. While the database is away the thread keeps what it has and tries
again; what finds no room is counted as lost to the table. The log has every line in any case.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Sequence
from threading import Condition, Thread
from time import time
from typing import Final, Protocol

from django.db import DataError, Error, IntegrityError, connection

from edge.audit import AuditLine

logger = logging.getLogger(__name__)

MOST_WAITING: Final = 10_000
"""Lines: about 10 MB at their longest, mostly 2 MB."""
AT_ONCE: Final = 200
RETRY_SECONDS: Final = 2.0
PRUNE_SECONDS: Final = 300.0
STOP_SECONDS: Final = 2.0
"""How long a stopping node waits for the last lines."""


class AuditTable(Protocol):
    """Where lines are kept. Both methods raise `django.db.Error` while it is away."""

    def save(self, lines: Sequence[AuditLine]) -> None: ...

    def prune(self, now: float) -> int: ...


class AuditWriter:
    """The queue and its thread. One condition guards both.

    `table`: takes the lines; used by the thread alone.
    `clock`: returns wall-clock seconds.
    `idle_seconds`: after so long without a line the thread looks whether there is something to remove.
    `retry_seconds`: between two tries while the table is away.
    `most_waiting`: lines in the queue.
    `close_connection`: called by the thread when the table failed, and at its end.
    """

    def __init__(
        self,
        table: AuditTable,
        *,
        clock: Callable[[], float] = time,
        close_connection: Callable[[], None] | None = None,
        idle_seconds: float = PRUNE_SECONDS,
        retry_seconds: float = RETRY_SECONDS,
        most_waiting: int = MOST_WAITING,
    ) -> None:
        self._table = table
        self._clock = clock
        self._close_connection = close_connection or close_thread_connection
        self._idle_seconds = idle_seconds
        self._retry_seconds = retry_seconds
        self._most_waiting = most_waiting
        self._lines: deque[AuditLine] = deque()
        self._condition = Condition()
        self._stopping = False
        self._lost = 0
        self._away = False
        self._pruned_at = 0.0
        self._thread = Thread(target=self._run, name="audit", daemon=True)

    @property
    def lost(self) -> int:
        """Lines that are in the log and not in the table."""
        return self._lost

    @property
    def waiting(self) -> int:
        """Lines on their way to the table."""
        return len(self._lines)

    def start(self) -> None:
        """Begin to write. What was put before is written then."""
        self._thread.start()

    def put(self, line: AuditLine) -> None:
        """Take a line; without room, or after the stop, count it as lost."""
        with self._condition:
            if self._stopping or len(self._lines) >= self._most_waiting:
                self._lost += 1
                return
            self._lines.append(line)
            self._condition.notify()

    def stop(self, timeout_seconds: float = STOP_SECONDS) -> None:
        """Write what is left, and end the thread."""
        with self._condition:
            self._stopping = True
            self._condition.notify()
        if self._thread.is_alive():
            self._thread.join(timeout_seconds)
        if self._lines:
            logger.warning("%d lines of the audit trail are in the log alone: the database is away", len(self._lines))

    def _run(self) -> None:
        try:
            while self._turn():
                pass
        finally:
            self._close_connection()

    def _turn(self) -> bool:
        """Wait for lines and write them. Returns False at the end."""
        with self._condition:
            self._condition.wait_for(lambda: self._lines or self._stopping, self._idle_seconds)
            lines = [self._lines[index] for index in range(min(AT_ONCE, len(self._lines)))]
            stopping = self._stopping
        written = self._write(lines)
        with self._condition:
            if written:
                for _ in lines:
                    self._lines.popleft()
            elif not self._stopping:
                self._condition.wait_for(lambda: self._stopping, self._retry_seconds)
        return bool(self._lines and written) if stopping else True

    def _write(self, lines: Sequence[AuditLine]) -> bool:
        """Return whether the lines are done with: the table took them, or never will."""
        try:
            if lines:
                self._table.save(lines)
            elif not self._stopping:
                self._prune()
        except (DataError, IntegrityError) as error:  # repeated, it would be refused again
            logger.error("%d lines of the audit trail are in the log alone: %s", len(lines), error)  # noqa: TRY400
            with self._condition:
                self._lost += len(lines)
        except Error as error:
            self._close_connection()
            if not self._away:
                logger.warning("the audit trail's table cannot be written now; the log has each line: %s", error)
            self._away = True
            return False
        except Exception:
            logger.exception("the audit trail's table failed; %d lines are in the log alone", len(lines))
            with self._condition:
                self._lost += len(lines)
        if self._away and lines:
            logger.warning("the audit trail's table is written again")
            self._away = False
        return True

    def _prune(self) -> None:
        if (now := self._clock()) - self._pruned_at >= PRUNE_SECONDS:
            self._pruned_at = now
            self._table.prune(now)


def close_thread_connection() -> None:
    """Close the calling thread's connection to the database."""
    connection.close()
