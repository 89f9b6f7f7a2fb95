# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Which engines rest because they failed. Pure.

An engine that fails at once never has many requests, so every policy prefers it. After a failure it rests for
`cool_down_seconds`, and twice as long after each further one, as Envoy and HAProxy do with hosts that fail again when
they come back.
"""

from __future__ import annotations

from typing import Final

from loadstats.ledger import CandidateView, Failures
from loadstats.pick.options import PickOptions

LONGEST_SECONDS: Final = 60.0
"""The longest rest, unless the first one is longer."""


def resting(view: CandidateView, options: PickOptions, tick: int) -> list[int]:
    """Return the places of the engines that rest in the second `tick`."""
    first = options.cool_down_seconds
    if not first:
        return []
    return [place for place, failures in view.failing if tick <= failures.tick + rest_seconds(failures, first)]


def rest_seconds(failures: Failures, first: float) -> float:
    """Return for how long an engine rests, in seconds from its last failure. `first` is the first rest."""
    return min(first * 2.0 ** (failures.number - 1), max(first, LONGEST_SECONDS))
