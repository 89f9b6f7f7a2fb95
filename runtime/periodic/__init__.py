# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Recurring work: an embedded Celery worker and beat, in threads of the node's one process."""

from runtime.periodic.app import build_app
from runtime.periodic.embedded import EmbeddedCelery
from runtime.periodic.runs import TaskRun
from runtime.periodic.schedule import PeriodicTask

__all__ = ["EmbeddedCelery", "PeriodicTask", "TaskRun", "build_app"]
