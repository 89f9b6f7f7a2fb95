# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The periodic tasks and their intervals, as a schedule for Celery's beat. Pure.

Always holds: intervals are measured on a steady clock. Celery's own schedule uses the wall clock, and would run nothing
for an hour after that was set back by an hour.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import TypedDict

from celery import Celery
from celery.schedules import schedule
from msgspec import Struct


class PeriodicTask(Struct, frozen=True):
    """A task that beat sends. Its first run is one interval after the start.

    `name`: the name of the entry in the schedule.
    `task`: the name of a registered Celery task.
    `every_seconds`: the interval.
    """

    name: str
    task: str
    every_seconds: float


class Options(TypedDict):
    """Celery's options for a sent task.

    `queue`: the queue.
    `expires`: seconds after which a task that was not taken is dropped; the next one comes soon.
    """

    queue: str
    expires: float


class BeatEntry(TypedDict):
    task: str
    schedule: schedule
    options: Options


def beat_schedule(
    app: Celery, periodic: Iterable[PeriodicTask], monotonic: Callable[[], float]
) -> dict[str, BeatEntry]:
    """Return Celery's `beat_schedule`, for the app's own queue."""
    began = monotonic()
    epoch = datetime.now(UTC)

    def steady_now() -> datetime:
        return epoch + timedelta(seconds=monotonic() - began)

    return {
        item.name: {
            "task": item.task,
            "schedule": schedule(timedelta(seconds=item.every_seconds), nowfun=steady_now, app=app),
            # A worker that is a second late is still well.
            "options": {"queue": app.conf.task_default_queue, "expires": max(item.every_seconds, 1.0)},
        }
        for item in periodic
    }
