# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The directory's recurring work, as a Celery task. The logic is in the directory, which needs no Celery."""

from celery import shared_task

from discovery.part import Discovery
from runtime.running import optional_part


@shared_task(name="discovery.refresh", ignore_result=True)
def refresh() -> None:
    """Look the peers up."""
    discovery = optional_part(Discovery)
    if discovery is not None and discovery.directory is not None:
        discovery.directory.refresh()
