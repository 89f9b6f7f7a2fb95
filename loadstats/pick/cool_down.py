# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Which engines rest because they failed. Pure.

An engine that fails at once never has many requests, so every policy prefers it. After a failure it rests for
`cool_down_seconds`, and twice as long after each further one, as Envoy and HAProxy do with hosts that fail again when
they come back.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import floor
from typing import Final

from msgspec import Struct

from loadstats.ledger import CandidateView, Failures
from loadstats.pick.options import PickOptions

LONGEST_SECONDS: Final = 60.0
"""The longest rest, unless the first one is longer."""


class Rest(Struct, frozen=True):
    """An engine's rest.

    `seconds`: for how much longer.
    `failures`: how many in a row led to it.
    """

    seconds: float
    failures: int


def rests(failing: Iterable[tuple[str, Failures]], first: float, now: float) -> dict[str, Rest]:
    """Return which of some engines rest at `now`, in monotonic seconds, by name. `first` is the first rest, or 0."""
    if not first:
        return {}
    found = {name: Rest(_seconds_left(failures, first, now), failures.number) for name, failures in failing}
    return {name: rest for name, rest in found.items() if rest.seconds > 0}


def resting(view: CandidateView, options: PickOptions, tick: int) -> list[int]:
    """Return the places of the engines that rest in the second `tick`."""
    first = options.cool_down_seconds
    if not first:
        return []
    return [place for place, failures in view.failing if _seconds_left(failures, first, tick) > 0]


def rest_seconds(failures: Failures, first: float) -> float:
    """Return for how long an engine rests, in seconds from its last failure. `first` is the first rest."""
    return min(first * 2.0 ** (failures.number - 1), max(first, LONGEST_SECONDS))


def _seconds_left(failures: Failures, first: float, now: float) -> float:
    """Return for how much longer an engine rests: to the end of the second in which its rest ends."""
    return floor(failures.tick + rest_seconds(failures, first)) + 1 - now
