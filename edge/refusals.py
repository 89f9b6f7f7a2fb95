# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What doors refuse, logged once for each kind, with the setting that changes it.

A flood of refused calls must not fill the log, and a gateway that is refused after an upgrade must be found in it. Any
thread may call: at worst two threads log the same kind.
"""

from __future__ import annotations

import logging

logger = logging.getLogger("edge.doors")

SHOWN = 120  # characters of what a client sent


class Refusals:
    """The kinds refused so far."""

    def __init__(self) -> None:
        self._seen: set[str] = set()

    def note(self, kind: str, what: str, setting: str) -> None:
        """Log a refusal if it is the first of its kind.

        `kind`: one of few.
        `what`: what was refused; may hold what a client sent.
        `setting`: what to do if it is wanted.
        """
        if kind in self._seen:
            return
        self._seen.add(kind)
        logger.warning("refused, and logged once: %s; if you want it: %s", what, setting)


def shown(value: bytes) -> str:
    """Return what a client sent as text that is safe to log."""
    return repr(value[:SHOWN].decode("latin-1"))
