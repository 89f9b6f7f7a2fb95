# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""How to choose an engine, from the configuration or from a call. Immutable."""

from __future__ import annotations

from msgspec import Struct


class PickOptions(Struct, frozen=True):
    """How to choose. The defaults are those of the AIGW gateway.

    `policy`: the policy's name, a key of `POLICIES`.
    `cache_ratio`: what a prompt that is wholly in an engine's cache is worth.
    `request_load`: how much the requests of an engine weigh.
    `prefill_load`: how much the prompts that an engine still has to read weigh.
    `share`: the share of the candidates that count as best, from 0 to 1.
    `cool_down_seconds`: for how long an engine is left out after it failed once; 0: it is not.
    `max_queued`: an engine with so many requests takes no more; None: no limit.
    """

    policy: str = "score"
    cache_ratio: float = 2.0
    request_load: float = 1.0
    prefill_load: float = 3.0
    share: float = 0.05
    max_queued: int | None = None
    cool_down_seconds: float = 1.0
