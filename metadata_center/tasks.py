# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The recurring work of the accounts, as a Celery task. Runs on the worker's threads."""

from __future__ import annotations

import logging

from celery import shared_task
from django.contrib.sessions.models import Session
from django.db import Error, connection
from django.utils import timezone

logger = logging.getLogger(__name__)


@shared_task(name="metadata_center.clear_sessions", ignore_result=True)
def clear_sessions() -> None:
    """Remove log-ins that have ended. Each node does so; the others find nothing."""
    try:
        Session.objects.filter(expire_date__lt=timezone.now()).delete()
    except Error as error:  # an hour later is soon enough
        logger.info("log-ins that have ended are not removed now: %s", " ".join(str(error).split()))
    finally:
        connection.close()
