# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Recurring work: an embedded Celery worker and beat, in threads of the node's one process."""

from metadata_center.work.app import build_app
from metadata_center.work.embedded import EmbeddedCelery
from metadata_center.work.runs import Run
from metadata_center.work.schedule import PeriodicTask

__all__ = ["EmbeddedCelery", "PeriodicTask", "Run", "build_app"]
