# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The audit trail that Django's code writes to: the running node's; in a command one that writes to the table itself.

Any thread may ask for it.
"""

from __future__ import annotations

import logging

from django.conf import settings
from django.db import Error, transaction

from edge.audit import Audit, AuditLine
from metadata_center.audit.store import AuditStore
from runtime.running import optional_part

logger = logging.getLogger(__name__)

COMMAND = "command"


class DirectSink:
    """Saves each line at once: a command ends before any thread would have written it."""

    def put(self, line: AuditLine) -> None:
        """Save it, in the transaction of what it is about if there is one."""
        audit = settings.CONFIG.audit
        try:
            with transaction.atomic():
                AuditStore(COMMAND, audit.max_entries, audit.max_age_seconds).save([line])
        except Error as error:
            logger.warning("the audit trail's table was not written: %s", error)


def audit_here() -> Audit:
    """Return the audit trail."""
    return optional_part(Audit) or Audit(DirectSink())
