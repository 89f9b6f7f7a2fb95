# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""One replay from its plan to its report: builds the parts, plays, checks, tidies up. Owns the loop it runs on."""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from rich.console import Console

from .checkpoint import Checkpoints
from .client import CallFailed, NodeClient, connect
from .clock import PlayClock
from .engines import ServiceTimes, addresses
from .expectations import Expectations
from .gateway import Gateway, Life
from .measures import Measures
from .pace import flat_out, scheduled
from .progress import show_progress
from .report import Report
from .trace import TraceRequest


class ReplayRefused(Exception):
    """The replay cannot begin; the text says why."""


@dataclass(frozen=True)
class Plan:
    """What to play, where and how. `speed` None is flat out; `run_id` must be a new one for every run.

    A node remembers ended requests for a while, so ids that were used before would be taken as over.
    """

    trace: Sequence[TraceRequest]
    target: str
    speed: float | None
    engines: int
    gateways: int
    cluster: str
    run_id: str
    seed: int = 0
    checkpoint_seconds: float = 1.0
    service: ServiceTimes = field(default_factory=ServiceTimes)


async def replay(
    plan: Plan, console: Console, stop: asyncio.Event, read_clock: Callable[[], float] = time.perf_counter
) -> Report:
    """Play `plan`; `stop` ends it early. Raises `ReplayRefused` before anything has been played."""
    measures, expectations, clock = Measures(), Expectations(), PlayClock(read_clock)
    engines = addresses(plan.engines)
    async with AsyncExitStack() as sessions:

        async def client(measures: Measures) -> NodeClient:
            session = await sessions.enter_async_context(connect(plan.target))
            return NodeClient(session, plan.cluster, measures, read_clock)

        await _refuse_unless_fit(await client(Measures()), plan)
        checkpoints = Checkpoints(await client(measures), expectations, clock, engines)
        randoms = [random.Random(f"{plan.seed}/{index}") for index in range(plan.gateways)]  # noqa: S311 not a secret
        gateways = [Gateway(await client(measures), engines, expectations, measures, clock, rng) for rng in randoms]
        started = read_clock()
        async with asyncio.TaskGroup() as group:
            watching = (
                group.create_task(checkpoints.every(plan.checkpoint_seconds)),
                group.create_task(show_progress(measures, len(plan.trace), console)),
            )
            playing = group.create_task(_play(plan, gateways, randoms, clock))
            stopping = group.create_task(stop.wait())
            await asyncio.wait((playing, stopping), return_when=asyncio.FIRST_COMPLETED)
            await _cancel(*watching, stopping)
            if interrupted := not playing.done():
                # Nobody is in a call once the clock stands still, so no outcome gets lost.
                await clock.stop()
                await _cancel(playing)
                clock.go()
        # Ctrl-C leaves requests open, failed calls leave some in doubt: end them, so that nothing of ours stays behind.
        rest = expectations.open_requests
        await asyncio.gather(*(gateways[index % plan.gateways].close(each) for index, each in enumerate(rest)))
        wall_seconds = read_clock() - started
        await checkpoints.take_last()
    return Report(measures, checkpoints, len(plan.trace), wall_seconds, interrupted)


async def _play(plan: Plan, gateways: Sequence[Gateway], randoms: Sequence[random.Random], clock: PlayClock) -> None:
    """Deal the requests to the gateways in turn, and play them all to their end."""
    speed, begins = plan.speed, clock.now()
    lives = [
        Life(
            request_id=f"{plan.run_id}-{index}",
            arrives=begins + each.at_seconds / (speed or math.inf),
            prompt_length=each.input_tokens,
            prefill_seconds=plan.service.prefill(each.input_tokens),
            decode_seconds=plan.service.decode(each.output_tokens),
        )
        for index, each in enumerate(plan.trace)
    ]
    async with asyncio.TaskGroup() as playing:
        for index, (gateway, rng) in enumerate(zip(gateways, randoms, strict=True)):
            dealt = lives[index :: plan.gateways]
            playing.create_task(flat_out(gateway, dealt, rng) if speed is None else scheduled(gateway, dealt, clock))


async def _refuse_unless_fit(client: NodeClient, plan: Plan) -> None:
    try:
        rows = await client.query()
    except CallFailed as error:
        raise ReplayRefused(f"--target {plan.target}: {error}") from error
    if busy := [row for row in rows if row.queued_req_num or row.prompt_length]:
        raise ReplayRefused(
            f"--cluster {plan.cluster}: in use by others, engine {busy[0].ip} has {busy[0].queued_req_num:,} requests"
        )


async def _cancel(*tasks: asyncio.Task[None] | asyncio.Task[bool]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
