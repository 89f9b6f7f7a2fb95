# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Members of bodies that no call knows: ignored, as the contract says, and logged at DEBUG, each name once.

A gateway that sends `weight` means something by it, and nothing else shows that it has no effect. Any thread may look;
names are only ever added, and at most `MAX_NAMES`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

from msgspec import MsgspecError
from msgspec.json import decode, encode

MAX_NAMES = 100
MAX_NAME_LENGTH = 64
MAX_BODY_BYTES = 64 * 1024  # looked at: 1 ms

logger = logging.getLogger(__name__)


class UnknownMembers:
    """What was logged of one kind of body."""

    def __init__(self) -> None:
        self._names: set[tuple[str, str]] = set()

    def look(self, body: bytes, read: object) -> None:
        """Log members of `body` that are not in what was read of it, unless they were logged before."""
        if len(body) > MAX_BODY_BYTES or len(self._names) >= MAX_NAMES:
            return
        kind = type(read).__name__
        try:
            names = {name[:MAX_NAME_LENGTH] for name in _unknown(decode(body), decode(encode(read)))}
        except (MsgspecError, RecursionError, UnicodeError):
            return  # what was skipped is no JSON of its own
        for name in sorted(names):
            if (kind, name) not in self._names and len(self._names) < MAX_NAMES:
                self._names.add((kind, name))
                logger.debug("%s: member %r is unknown and ignored", kind, name)
                if len(self._names) == MAX_NAMES:
                    logger.debug("%s: further unknown members are not logged", kind)


def _unknown(sent: Any, read: Any, path: str = "") -> Iterator[str]:
    """Yield the names of members that were sent and not read, with the members that they are in."""
    if isinstance(sent, dict) and isinstance(read, dict):
        for name, value in sent.items():
            if name in read:
                yield from _unknown(value, read[name], f"{path}{name}.")
            else:
                yield f"{path}{name}"
    elif isinstance(sent, list) and isinstance(read, list):
        for one, other in zip(sent, read, strict=False):
            yield from _unknown(one, other, path)
