# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Writes pushes. One event that cannot be written must not hold up the others: `NOTHING` keeps its number. Pure."""

from __future__ import annotations

import logging

from msgspec.msgpack import Encoder
from msgspec.structs import replace

from replication.entities import Event
from replication.features import NOTHING
from replication.messages import Push
from replication.own_faults import OwnFaults

logger = logging.getLogger("replication")

_encode = Encoder().encode


class PushWriter:
    """Writes one receiver's pushes.

    `unwritten`: pushes with an event that could not be written.
    """

    def __init__(self, receiver: str = "the log") -> None:
        self._receiver = receiver
        self.unwritten = OwnFaults()

    def write(self, push: Push, now: float) -> bytes:
        """Return a push as it travels."""
        try:
            return _encode(push)
        except Exception as error:
            logger.exception("%s: a push cannot be written; an event is left out", self._receiver)
            self.unwritten.note("an event cannot be written", error, now)
            return _encode(replace(push, events=[event if _is_writable(event) else NOTHING for event in push.events]))


def _is_writable(event: Event) -> bool:
    try:
        _encode(event)
    except Exception:
        return False
    return True
