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
    `slow_start_seconds`: how long an engine that is new takes to get its full share; 0: it has it at once.
    `session_idle_seconds`: how long a session is remembered; 0: not at all.
    `request_tokens`: what a request costs in units of prompt length, where a policy counts these.
    `uncached`: whether a request counts with what its engine has yet to read of its prompt.
    `max_queued`: an engine with so many requests takes no more; None: no limit.
    """

    policy: str = "score"
    cache_ratio: float = 2.0
    request_load: float = 1.0
    prefill_load: float = 3.0
    share: float = 0.05
    max_queued: int | None = None
    cool_down_seconds: float = 1.0
    slow_start_seconds: float = 0.0
    session_idle_seconds: float = 600.0
    request_tokens: float = 250.0
    uncached: bool = False
