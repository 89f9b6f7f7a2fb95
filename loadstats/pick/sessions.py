# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Which engine served each session last.

Used under the ledger's lock. Bounded: past `MAX_SESSIONS` the session that was quiet for the longest time is forgotten.
Not replicated: another node learns a session's engine when it is first asked for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from loadstats.pick.candidate_scores import CandidateScores
from loadstats.pick.options import PickOptions

MAX_SESSIONS: Final = 65_536
"""About 20 MB with ids of 36 characters."""
SWEPT: Final = 2
"""Quiet sessions that a call forgets at most."""

SessionKey = tuple[str, str]
"""A cluster and a session in it."""


class Sessions:
    """The sessions of all clusters, the last used at the end."""

    def __init__(self, most: int = MAX_SESSIONS) -> None:
        self._most = most
        self._engines: dict[SessionKey, tuple[str, float]] = {}

    def __len__(self) -> int:
        return len(self._engines)

    def engine(self, key: SessionKey, options: PickOptions, now: float) -> str | None:
        """Return the engine that served a session last; None if it was quiet for too long, or there is none."""
        known = self._engines.get(key)
        return known[0] if known is not None and now - known[1] < options.session_idle_seconds else None

    def keep(self, key: SessionKey, engine: str, options: PickOptions, now: float) -> None:
        """Note that an engine serves a session now."""
        engines = self._engines
        engines.pop(key, None)
        engines[key] = engine, now
        for _ in range(SWEPT):
            first = next(iter(engines))
            if len(engines) <= self._most and now - engines[first][1] < options.session_idle_seconds:
                break
            del engines[first]


def preferred(scores: CandidateScores, names: Sequence[str], engine: str, options: PickOptions) -> int | None:
    """Return the place of a session's engine; None if it is no candidate or has too much to do.

    To stay is worth as much as a prompt that is wholly in the engine's cache. So it is too much where its load costs
    more than that beyond the least.
    """
    try:
        place = names.index(engine)
    except ValueError:
        return None
    return place if scores.costs[place] - min(scores.costs) <= options.cache_ratio else None
