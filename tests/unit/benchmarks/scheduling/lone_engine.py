# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""One engine and its requests, without gateways."""

from __future__ import annotations

from collections.abc import Iterable

from benchmarks.scheduling.engine import Engine
from benchmarks.scheduling.kv_pool import KvPool
from benchmarks.scheduling.loop import Loop
from benchmarks.scheduling.request import Request
from benchmarks.scheduling.step_times import StepTimes


def serve(
    requests: Iterable[Request],
    times: StepTimes,
    *,
    capacity: int = 10**9,
    step_tokens: int = 8192,
    step_requests: int = 1024,
    leaps: bool = True,
) -> Engine:
    """Give each request to the engine when it arrives, until all are over. Returns the engine."""
    loop = Loop()
    engine = Engine(
        loop,
        times,
        KvPool(capacity),
        lambda request: None,
        lambda request: None,
        step_tokens=step_tokens,
        step_requests=step_requests,
        leaps=leaps,
    )
    for request in requests:
        loop.at(request.arrival, engine.submit, request)
    loop.run()
    return engine
