# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The record of a node's task runs, and the base class of tasks that writes it.

Written by the pool thread that runs a task, read by metrics and pages on their threads. One lock, held for a few
assignments. Always holds: a task that has not ended is not begun a second time.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any, ClassVar, Final

from celery import Task
from msgspec import Struct
from msgspec.structs import replace

logger = logging.getLogger(__name__)

SKIPPED: Final = "skipped: the previous run has not ended"
MAX_ERROR_CHARACTERS: Final = 300


class TaskRun(Struct, frozen=True):
    """One task's runs so far. Stamps are wall time in seconds since 1970.

    `runs`: how many ended.
    `failures`: how many of them raised.
    `skipped`: how many were left out because the one before had not ended.
    `last_start`: when the last one began.
    `last_duration`: how long it took, in seconds.
    `last_error`: the text of the last failure.
    `running_since`: when the one that runs now began.
    """

    runs: int = 0
    failures: int = 0
    skipped: int = 0
    last_start: float | None = None
    last_duration: float | None = None
    last_error: str = ""
    running_since: float | None = None


class TaskRuns:
    """The runs of all tasks, by the task's Celery name.

    `clock` returns wall time, `monotonic` measures durations; both in seconds.
    """

    def __init__(self, tasks: tuple[str, ...], clock: Callable[[], float], monotonic: Callable[[], float]) -> None:
        self._clock = clock
        self._monotonic = monotonic
        self._lock = Lock()
        self._runs = {task: TaskRun() for task in tasks}

    def snapshot(self) -> dict[str, TaskRun]:
        with self._lock:
            return dict(self._runs)

    @contextmanager
    def track(self, task: str) -> Iterator[bool]:
        """Record one run, which is the context. Yields False if it must not begin: the previous one has not ended."""
        with self._lock:
            last = self._runs.get(task, TaskRun())
            free = last.running_since is None
            if free:
                now = self._clock()
                self._runs[task] = replace(last, last_start=now, running_since=now)
            else:
                self._runs[task] = replace(last, skipped=last.skipped + 1)
        if not free:
            logger.warning("%s is skipped: its previous run has not ended", task)
            yield False
            return
        began = self._monotonic()
        error = ""
        try:
            yield True
        except BaseException as caught:
            error = f"{type(caught).__name__}: {caught}"[:MAX_ERROR_CHARACTERS]
            raise
        finally:
            with self._lock:
                run = self._runs[task]
                self._runs[task] = replace(
                    run,
                    runs=run.runs + 1,
                    running_since=None,
                    last_duration=self._monotonic() - began,
                    failures=run.failures + bool(error),
                    last_error=error or run.last_error,
                )


class TrackedTask(Task[Any, Any]):
    """The base class of a node's tasks.

    `runs`: where runs are recorded. `EmbeddedCelery` sets it on the app's own subclass.
    """

    abstract = True
    runs: ClassVar[TaskRuns | None] = None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self.runs is None:
            return self.run(*args, **kwargs)
        with self.runs.track(self.name) as free:
            # The text is what Flower shows as the result.
            return self.run(*args, **kwargs) if free else SKIPPED
