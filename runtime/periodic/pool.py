# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The daemon threads that run tasks.

Celery's own pool of threads is a `ThreadPoolExecutor`. The interpreter joins its threads at exit, so with one task that
hangs the process never ends. Here each job goes to the next idle thread. The worker's thread starts and stops the pool.
Always holds: nothing that a task raises ends a thread, and stopping takes at most `GRACE_SECONDS`.
"""

from __future__ import annotations

import logging
from queue import SimpleQueue
from threading import Thread
from time import monotonic
from typing import Any, Final

from celery.concurrency.base import BasePool, apply_target

logger = logging.getLogger(__name__)

GRACE_SECONDS: Final = 1.0
"""How long running tasks may take to end when the worker stops."""


class DaemonPool(BasePool):
    """A pool of `limit` threads. A job is a Celery request's function with its callbacks."""

    body_can_be_buffer = True
    signal_safe = False

    def on_start(self) -> None:
        self._jobs: SimpleQueue[tuple[Any, ...] | None] = SimpleQueue()
        self._threads = [Thread(target=self._work, name=f"celery-task-{n}", daemon=True) for n in range(self.limit)]
        for thread in self._threads:
            thread.start()

    def on_apply(
        self,
        target: Any,
        args: Any = None,
        kwargs: Any = None,
        callback: Any = None,
        accept_callback: Any = None,
        **_: Any,
    ) -> None:
        self._jobs.put((target, args, kwargs, callback, accept_callback))

    def on_stop(self) -> None:
        for _ in self._threads:
            self._jobs.put(None)
        deadline = monotonic() + GRACE_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, deadline - monotonic()))

    on_terminate = on_stop

    def _work(self) -> None:
        # Celery keeps the current app by thread.
        self.app.set_current()
        while (job := self._jobs.get()) is not None:
            try:
                apply_target(*job)
            except BaseException:
                logger.exception("a task could not be brought to its end")
