# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Celery's consumer, which a message of the wrong form does not end.

Runs on the worker's thread. Celery rejects some malformed messages; others raise through its loop and end the worker,
which takes the same message again when it is back. Here a message that cannot be taken is logged, rejected and gone.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from celery.worker.consumer import Consumer

logger = logging.getLogger(__name__)

SHOWN_CHARACTERS = 200
MESSAGE_FAULTS = (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError)
"""What reading a malformed message raises. Celery takes a KeyError for a fault of the connection to Redis: the worker
would connect anew and take the same message again, without end."""


class CarefulConsumer(Consumer):
    """The consumer of a node's worker.

    `connection_errors`, `channel_errors`: what the broker's transport raises. Celery sets them.
    """

    connection_errors: tuple[type[BaseException], ...]
    channel_errors: tuple[type[BaseException], ...]

    def create_task_handler(self, *args: Any, **kwargs: Any) -> Callable[[Any], None]:
        """Return what takes each message."""
        take = super().create_task_handler(*args, **kwargs)
        broken = (*self.connection_errors, *self.channel_errors)

        def take_or_drop(message: Any) -> None:
            try:
                take(message)
            except Exception as error:
                if isinstance(error, broken) and not isinstance(error, MESSAGE_FAULTS):
                    raise  # not the message's fault
                logger.warning(
                    "a message is dropped: %s: %s; its body: %.*r",
                    type(error).__name__,
                    error,
                    SHOWN_CHARACTERS,
                    message.body,
                )
                if not message.acknowledged:
                    message.reject_log_error(logger, self.connection_errors)

        return take_or_drop
