# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Kombu's transport over Redis, which an item of the wrong form does not end.

Runs on the worker's thread. Whatever is pushed to a list or published to a channel in Redis reaches the transport; what
is no message at all raises before the consumer sees it. It has left Redis by then: it is logged, and gone.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from queue import Empty
from typing import Any

from kombu.transport import redis

from runtime.periodic.careful_consumer import MESSAGE_FAULTS

logger = logging.getLogger(__name__)


class CarefulChannel(redis.Channel):
    """A channel that drops what is no message.

    `connection_errors`: what is raised if Redis is away. Kombu sets it.
    """

    connection_errors: tuple[type[BaseException], ...]

    def _brpop_read(self, **options: Any) -> Any:
        return self._carefully(lambda: super(CarefulChannel, self)._brpop_read(**options))  # type: ignore[misc]

    def _deliver_fanout_message(self, message: Any, exchange: str) -> Any:
        return self._carefully(lambda: super(CarefulChannel, self)._deliver_fanout_message(message, exchange))  # type: ignore[misc]

    def _carefully(self, deliver: Callable[[], Any]) -> Any:
        """Deliver something. Returns True, as for what was delivered, if it was no message."""
        passed_on: tuple[type[BaseException], ...] = (Empty, *self.connection_errors, *self.connection.channel_errors)
        try:
            return deliver()
        except Exception as error:
            if isinstance(error, passed_on) and not isinstance(error, MESSAGE_FAULTS):
                raise
            logger.warning("what is no message is dropped: %s: %s", type(error).__name__, error)
            return True


class CarefulTransport(redis.Transport):
    """The transport of a node whose broker is Redis."""

    Channel = CarefulChannel
