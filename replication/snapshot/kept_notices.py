# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The notices in a node's snapshot. Pure but for a line of the log.

Always holds: notices that cannot be read spoil nothing else of the snapshot.
"""

from __future__ import annotations

import logging
from typing import Final

from msgspec.msgpack import Decoder, Encoder

from replication.push_reader import UNREADABLE
from runtime.notices.log import NoticeLog
from runtime.notices.notice import NoticeCopy

logger = logging.getLogger("replication.snapshot")

MOST_KEPT: Final = 400  # a millisecond's work

_encode = Encoder().encode
_read = Decoder(list[NoticeCopy]).decode


def kept_notices(log: NoticeLog) -> bytes:
    """Return the last notices of a log, as they are written."""
    return _encode(log.latest(MOST_KEPT))


def take_kept(log: NoticeLog, written: bytes, older_seconds: float) -> None:
    """Take notices that were written so many seconds ago; none if they cannot be read."""
    try:
        copies = _read(written) if written else []
    except UNREADABLE as error:
        logger.warning("the notices of the snapshot are left out: %s", error)
        return
    log.take(copies, older_seconds=older_seconds, partial=True)
