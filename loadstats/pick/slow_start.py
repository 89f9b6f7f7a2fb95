# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What share of a full one a newcomer gets. Pure.

An engine without requests is every policy's best one, so a newcomer gets most of what comes until it has as many as the
others, and their prompts wait there. Its weight grows over `slow_start_seconds` from a tenth to the whole, as HAProxy's
does. An engine is a newcomer from its first request on, and again after it had none for `RequestExpire`.
"""

from __future__ import annotations

from typing import Final

from loadstats.ledger import CandidateView

LEAST_SHARE: Final = 0.1


def starting(view: CandidateView, seconds: float, tick: int) -> dict[int, float]:
    """Return the weights of newcomers in the second `tick`, by place. With 0 seconds there are none."""
    if not seconds:
        return {}
    begun = view.newcomers(int(tick - seconds))
    return {place: share(0 if since is None else tick - since, seconds) for place, since in begun}


def share(age: int, seconds: float) -> float:
    """Return the weight of an engine that has been listed for `age` seconds."""
    return min(1.0, max(LEAST_SHARE, age / seconds))
