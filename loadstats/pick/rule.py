# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""How to choose, as configured or as a call says. Immutable."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

PolicyName = Literal["score", "least_load", "power_of_two"]


class Rule(Struct, frozen=True):
    """How to choose. `share` is how many of the candidates are the best; one with `max_queued` requests is none.

    The defaults are those of the AIGW gateway.
    """

    policy: PolicyName = "score"
    cache_ratio: float = 2.0
    request_load: float = 1.0
    prefill_load: float = 3.0
    share: float = 0.05
    max_queued: int | None = None
