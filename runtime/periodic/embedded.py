# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Celery inside the node: a worker and a beat, each in a thread of its own.

The composition root builds, starts and stops it. Threads: `celery-worker` takes messages, `celery-task-N` run them,
`celery-beat` sends what is due; all are daemons. Measured over 30 idle seconds (`time.process_time`), heartbeat
included: 0.45 % of a core over `memory://`, 0.52 % over Redis with events on.

Always holds: nothing here stops the node. A task that raises is counted. A task that hangs keeps one thread and is not
begun again until it ends. A worker or beat that dies is started again. A broker that is away is waited for. Celery
keeps its worker's state in module globals, so at most one `EmbeddedCelery` of a process may run at a time.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from threading import Event
from typing import Any, Final

import celery.worker.state
from celery import Celery, Task
from celery.beat import ScheduleEntry, Scheduler
from celery.worker import WorkController
from kombu.asynchronous import set_event_loop
from kombu.exceptions import OperationalError

from runtime.health import PartState
from runtime.periodic.careful_consumer import CarefulConsumer
from runtime.periodic.pool import DaemonPool
from runtime.periodic.runs import TaskRun, TaskRuns
from runtime.periodic.schedule import PeriodicTask, beat_schedule
from runtime.periodic.supervisor import Supervisor

HEARTBEAT: Final = "metadata_center.heartbeat"
HEARTBEAT_SECONDS: Final = 1.0
MAX_WAITING_MESSAGES: Final = 100
"""Beat sends nothing while this many wait: expired messages leave a queue only when a worker takes them."""

RUN_NOW_SECONDS: Final = 60.0
"""A run that a person asked for and the worker did not take in this time is dropped."""

_LOGGERS_OF_EACH_TASK: Final = ("celery.app.trace", "celery.worker.strategy")


def _is_not_routine(record: logging.LogRecord) -> bool:
    """Return whether a record is worth a line. Celery logs two lines for each task, so two a second for heartbeats."""
    return record.levelno > logging.INFO


class EmbeddedCelery:
    """The worker and beat of one app, with a heartbeat task of their own.

    `periodic`: the tasks that beat sends. Raises ValueError if the app does not have one of them.
    """

    def __init__(
        self,
        app: Celery,
        periodic: Sequence[PeriodicTask],
        *,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        for item in periodic:
            if item.task not in app.tasks:
                raise ValueError(f"the periodic task {item.name!r} names {item.task!r}, which is not registered")
        self._app = app
        self.periodic = tuple(periodic)
        tasks = tuple(sorted({item.task for item in periodic}))
        self._runs = TaskRuns(tasks, clock, monotonic)
        tracked: Any = app.Task  # this app's own subclass of `TrackedTask`
        tracked.runs = self._runs
        # One thread for each task that may hang, one for the heartbeat, one for runs that people ask for.
        self._threads = len(tasks) + 2
        self._worker = Supervisor("celery-worker", self._work, PartState.DEGRADED, clock, monotonic)
        self._beat = Supervisor("celery-beat", self._tick, PartState.FAILED, clock, monotonic)
        # Not shared: Celery would add it to every app that is built later.
        app.task(name=HEARTBEAT, base=Task, shared=False, ignore_result=True, send_events=False)(self._worker.well)
        heartbeat = PeriodicTask(HEARTBEAT, HEARTBEAT, HEARTBEAT_SECONDS)
        app.conf.beat_schedule = beat_schedule(app, [heartbeat, *periodic], monotonic)
        # Kept when beat is restarted, so that a task with a long interval still gets its turn.
        self._entries: dict[str, ScheduleEntry] = {}

    def start(self) -> None:
        """Returns at once: a broker that is away is no reason to wait. RuntimeError if still stopping."""
        for logger in _LOGGERS_OF_EACH_TASK:  # first: the worker may take the first heartbeat at once
            logging.getLogger(logger).addFilter(_is_not_routine)
        self._worker.start()
        self._beat.start()

    def stop(self, timeout: float = 5.0) -> None:
        """Stop within `timeout` seconds. The thread of a task that hangs is left behind; it is a daemon."""
        deadline = time.monotonic() + timeout
        self._worker.request_stop()
        celery.worker.state.should_stop = 0  # type: ignore[assignment]  # the exit code
        self._beat.request_stop()
        for supervisor in (self._beat, self._worker):
            supervisor.join(max(0.0, deadline - time.monotonic()))
        for logger in _LOGGERS_OF_EACH_TASK:
            logging.getLogger(logger).removeFilter(_is_not_routine)

    def worker_state(self) -> tuple[PartState, str]:
        """A probe for `Health`."""
        return self._worker.state()

    def beat_state(self) -> tuple[PartState, str]:
        """A probe for `Health`."""
        return self._beat.state()

    @property
    def last_runs(self) -> dict[str, TaskRun]:
        """The runs of each task by its name, without the heartbeat."""
        return self._runs.snapshot()

    def run_now(self, item: PeriodicTask) -> None:
        """Send a task to the worker now, beside its schedule. Any thread may call.

        Raises OperationalError if the broker is away.
        """
        queue = self._app.conf.task_default_queue
        self._app.send_task(item.task, queue=queue, expires=RUN_NOW_SECONDS, ignore_result=True, retry=False)

    def _work(self, stopping: Event) -> None:
        state = celery.worker.state
        state.reset_state()
        state.should_stop = state.should_terminate = None
        set_event_loop(None)
        # `stop` sets the event before the flag, so the reset above can't lose it.
        if stopping.is_set():
            return
        self._app.set_current()
        try:
            WorkController(
                app=self._app,
                hostname=f"worker@{self._app.conf.task_default_queue}",
                pool=DaemonPool,
                consumer_cls=CarefulConsumer,
                concurrency=self._threads,
                without_mingle=True,
                without_gossip=True,
                # The heartbeat event shows the worker to Flower.
                without_heartbeat=not self._app.conf.worker_send_task_events,
            ).start()
        finally:
            state.should_stop = None

    def _tick(self, stopping: Event) -> None:
        self._app.set_current()
        scheduler = _Scheduler(self._app, schedule=self._entries, max_interval=1)
        try:
            producer = scheduler.producer  # connects
            heartbeat = self._entries[HEARTBEAT]
            scheduler.apply_entry(heartbeat, producer)  # at once, so that the worker is soon known to be well
            while not stopping.is_set():
                delay = scheduler.tick()
                self._beat.well()
                stopping.wait(delay)
            # The worker looks at its flag when a message comes, or after 2 s, and then waits once more.
            for _ in range(2):
                scheduler.apply_entry(heartbeat, producer)
        except scheduler.connection.recoverable_connection_errors as error:
            raise OperationalError(str(error)) from error
        finally:
            scheduler.close()


class _Scheduler(Scheduler):
    """A scheduler that raises when the broker is away. Celery's own waits, or logs a stack for each message."""

    def _ensure_connected(self) -> Any:
        return self.connection.ensure_connection(max_retries=0)

    def adjust(self, n: Any, drift: float = 0.0) -> Any:
        """Return the delay unchanged. Celery wakes 10 ms early and spins until it is time: 10 ms of CPU each second."""
        return n

    def apply_entry(self, entry: ScheduleEntry, producer: Any = None) -> None:
        queue: Any = self.app.amqp.queues[self.app.conf.task_default_queue].bind(producer.channel)
        if queue.queue_declare()[1] < MAX_WAITING_MESSAGES:
            self.send_task(entry.task, producer=producer, **(entry.options or {}))
