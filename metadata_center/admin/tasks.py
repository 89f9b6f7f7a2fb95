# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""`/admin/metadata_center/task/`: recurring work and its last runs. Runs on Django's threads."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.contrib import admin
from django.contrib.admin.models import CHANGE
from django.http import HttpRequest
from kombu.exceptions import OperationalError
from msgspec import Struct

from edge.errors import NotFound, Unavailable
from edge.live_admin import LiveAdmin, Operation, Question, Values
from metadata_center.models import Task
from runtime.periodic import EmbeddedCelery, PeriodicTask, TaskRun
from runtime.running import part


class TaskLine(Struct, frozen=True):
    """A task in the table.

    `task`: what is repeated.
    `run`: its last run.
    `started`: when that began, in UTC; None if it never did.
    """

    task: PeriodicTask
    run: TaskRun
    started: datetime | None


class RunTask(Operation):
    codename = "run_task"
    title = "Run a task now"
    button = "Run it"
    members = ("name",)
    flag = CHANGE

    def ask(self, values: Values) -> Question:
        task = _find(values["name"])
        return Question(
            f"Run task {task.name} now?",
            "The worker runs it at once, beside its schedule; if it is running just now, it is left out.",
            (("does", task.task), ("every", f"{task.every_seconds:g} s")),
        )

    def perform(self, values: Values) -> str:
        task = _find(values["name"])
        try:
            part(EmbeddedCelery).run_now(task)
        except (OperationalError, OSError) as error:
            raise Unavailable(f"The broker does not answer: {error}") from error
        return f"Task {task.name} was sent to the worker."


@admin.register(Task)
class TaskAdmin(LiveAdmin):
    template = "metadata_center/admin/tasks.html"
    operations = (RunTask(),)

    def context(self, request: HttpRequest) -> dict[str, Any]:
        celery = part(EmbeddedCelery)
        runs = celery.last_runs
        return {"lines": [_line(task, runs.get(task.task, TaskRun())) for task in celery.periodic]}


def _line(task: PeriodicTask, run: TaskRun) -> TaskLine:
    return TaskLine(task, run, None if run.last_start is None else datetime.fromtimestamp(run.last_start, UTC))


def _find(name: str) -> PeriodicTask:
    for task in part(EmbeddedCelery).periodic:
        if task.name == name:
            return task
    raise NotFound(f"name: no task {name!r}")
