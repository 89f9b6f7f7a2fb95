# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Faults of this node's own share in replication, so that they are seen. Pure; any thread may read.

Such a fault has nothing to do with the network: what a message should carry cannot be written. The peers get nothing of
it, and cannot know.
"""

from __future__ import annotations

from math import inf

SHOWN_SECONDS = 60.0


class OwnFaults:
    """The faults so far.

    `times`: how often it happened.
    """

    def __init__(self) -> None:
        self.times = 0
        self._reason = ""
        self._at = -inf

    def note(self, what: str, error: BaseException, now: float) -> None:
        """Note that something failed. `now` is monotonic seconds."""
        self.times += 1
        self._reason = f"{what}: {type(error).__name__}: {error}"[:300]
        self._at = now

    def lately(self, now: float) -> str:
        """Return what failed last; empty if nothing has for a minute."""
        return self._reason if now - self._at < SHOWN_SECONDS else ""
