# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The links' recurring work, as a Celery task. The logic is in the links, which need no Celery."""

from celery import shared_task

from replication.part import Replication
from runtime.running import optional_part


@shared_task(name="replication.sweep", ignore_result=True)
def sweep() -> None:
    """Restart stalled links, trim the journal, mend one peer's differences."""
    replication = optional_part(Replication)
    if replication is not None:
        replication.links.sweep()
