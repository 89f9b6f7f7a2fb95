# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""A trace of our own, for a replay without a file: arrivals in bursts, lengths with a long tail, from one seed."""

from __future__ import annotations

import random

from .trace import TraceRequest, in_order

REQUESTS = 2000
SECONDS = 600.0

# Arrivals are Poisson; in a burst they come five times as fast. A burst begins before one request in 60 and ends before
# one in 40, so two in five requests come in bursts of 40 on average.
_BURST = 5.0
_BEGINS = 1 / 60
_ENDS = 1 / 40

# Log-normal lengths: median, spread of the logarithm, bound. The medians lie between the public traces of chat
# (6,909 tokens in) and code completion (1,500 in); the tail reaches as far as a chat context does.
_INPUT = (3000, 1.0, 128_000)
_OUTPUT = (150, 0.9, 1000)


def sample_trace(rng: random.Random, requests: int = REQUESTS, seconds: float = SECONDS) -> list[TraceRequest]:
    """Return a trace of `requests` requests over `seconds` seconds."""
    at, bursting, drawn = 0.0, False, []
    for _ in range(requests):
        drawn.append((at, _length(rng, *_INPUT), _length(rng, *_OUTPUT)))
        bursting = rng.random() >= _ENDS if bursting else rng.random() < _BEGINS
        at += rng.expovariate(_BURST if bursting else 1.0)
    scale = seconds / (drawn[-1][0] or 1.0)
    return in_order((TraceRequest(at * scale, tokens, output) for at, tokens, output in drawn), "sample")


def _length(rng: random.Random, median: int, spread: float, bound: int) -> int:
    return max(1, min(bound, round(median * rng.lognormvariate(0.0, spread))))
