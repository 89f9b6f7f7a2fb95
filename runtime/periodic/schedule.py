# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What recurs, and how often: Celery's schedule from the list that the composition root hands in.

Always holds: intervals are measured on a steady clock. Celery's own schedule goes by the wall clock, and would not run
anything for an hour after that was set back by one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import TypedDict

from celery import Celery
from celery.schedules import schedule
from msgspec import Struct


class PeriodicTask(Struct, frozen=True):
    """`task` is a registered Celery task's name; the first run is one interval after the start."""

    name: str
    task: str
    every_seconds: float


class Options(TypedDict):
    """Celery's options of a sent task. One that was not taken in time (seconds) is dropped: the next is on its way."""

    queue: str
    expires: float


class BeatEntry(TypedDict):
    task: str
    schedule: schedule
    options: Options


def beat_schedule(
    app: Celery, periodic: Iterable[PeriodicTask], monotonic: Callable[[], float]
) -> dict[str, BeatEntry]:
    """Celery's `beat_schedule`, onto the app's own queue."""
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
