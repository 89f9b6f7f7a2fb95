# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""One replay from its plan to its report: builds the parts, plays, checks, tidies up. Owns the loop it runs on."""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from rich.console import Console

from .checkpoint import READY_SECONDS, SETTLE_SECONDS, Checkpoints
from .client import NO_CREDENTIALS, CallFailed, GatewayClient, NodeClient, connect
from .clock import PlayClock
from .cluster import ReplayCluster, clusters_of
from .credentials import ReplayCredentials
from .engines import ServiceTimes
from .gateway import Gateway, PlayedRequest
from .measures import Measures
from .pace import flat_out, scheduled
from .progress import show_progress
from .report import ReplayReport
from .route import cluster_names
from .trace import TraceRequest


class ReplayRefused(Exception):
    """The replay cannot begin. The text says why."""


@dataclass(frozen=True)
class Plan:
    """What to play, where and how. Without a `speed` it runs flat out. `run_id` must be new for every run.

    A node remembers ended requests for a while, so ids that were used before would be taken as over. `engines` are
    dealt to `clusters` clusters, whose names begin with `cluster`.
    """

    trace: Sequence[TraceRequest]
    targets: Sequence[str]
    speed: float | None
    engines: int
    gateways: int
    cluster: str
    run_id: str
    clusters: int = 1
    seed: int = 0
    checkpoint_seconds: float = 1.0
    service: ServiceTimes = field(default_factory=ServiceTimes)
    allow_errors: bool = False
    credentials: ReplayCredentials = NO_CREDENTIALS
    settle_seconds: float = SETTLE_SECONDS
    ready_seconds: float = READY_SECONDS


async def replay(
    plan: Plan, console: Console, stop: asyncio.Event, read_clock: Callable[[], float] = time.perf_counter
) -> ReplayReport:
    """Play a plan. `stop` ends it early. Raises `ReplayRefused` before the first call."""
    targets = sorted(plan.targets)
    measures, clock = Measures(targets), PlayClock(read_clock)
    clusters = clusters_of(cluster_names(plan.cluster, plan.clusters, len(targets)), plan.engines)
    async with AsyncExitStack() as sessions:

        async def nodes() -> list[NodeClient]:
            return [
                NodeClient(await sessions.enter_async_context(connect(target, plan.credentials))) for target in targets
            ]

        watched = dict(zip(targets, await nodes(), strict=True))
        await _refuse_unless_fit(watched, clusters)
        checkpoints = Checkpoints(
            watched,
            clusters,
            clock,
            read_clock,
            settle_seconds=plan.settle_seconds,
            ready_seconds=plan.ready_seconds,
        )
        randoms = [random.Random(f"{plan.seed}/{index}") for index in range(plan.gateways)]  # noqa: S311 not a secret
        clients = [GatewayClient(await nodes(), measures, read_clock) for _ in randoms]
        gateways = [Gateway(client, measures, clock, rng) for client, rng in zip(clients, randoms, strict=True)]
        started = read_clock()
        async with asyncio.TaskGroup() as group:
            watching = (
                group.create_task(checkpoints.every(plan.checkpoint_seconds)),
                group.create_task(show_progress(measures, len(plan.trace), console)),
            )
            playing = group.create_task(_play(plan, clusters, gateways, randoms, clock))
            stopping = group.create_task(stop.wait())
            await asyncio.wait((playing, stopping), return_when=asyncio.FIRST_COMPLETED)
            await _cancel(*watching, stopping)
            if interrupted := not playing.done():
                # Nobody is in a call once the clock stands still, so no outcome gets lost.
                await clock.stop()
                await _cancel(playing)
                clock.go()
        # Ctrl-C leaves requests open, failed calls leave some in doubt: end them, so that nothing of ours stays behind.
        rest = [(cluster, each) for cluster in clusters for each in cluster.expectations.open_requests]
        await asyncio.gather(*(gateways[index % plan.gateways].close(*each) for index, each in enumerate(rest)))
        wall_seconds = read_clock() - started
        await checkpoints.take_last()
    return ReplayReport(measures, checkpoints, len(plan.trace), wall_seconds, interrupted, plan.allow_errors)


async def _play(
    plan: Plan,
    clusters: Sequence[ReplayCluster],
    gateways: Sequence[Gateway],
    randoms: Sequence[random.Random],
    clock: PlayClock,
) -> None:
    """Deal the requests to the gateways in turn, each gateway's to the clusters, and play them all to their end."""
    speed, begins = plan.speed, clock.now()
    lives = [
        PlayedRequest(
            cluster=clusters[index // plan.gateways % len(clusters)],
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


async def _refuse_unless_fit(nodes: Mapping[str, NodeClient], clusters: Sequence[ReplayCluster]) -> None:
    for target, node in nodes.items():
        for cluster in clusters:
            try:
                rows = await node.query(cluster.name)
            except CallFailed as error:
                raise ReplayRefused(f"--target {target}: {error}") from error
            if busy := [row for row in rows if row.queued_req_num or row.prompt_length]:
                engine = f"engine {busy[0].ip} has {busy[0].queued_req_num:,} requests"
                raise ReplayRefused(f"--cluster {cluster.name}: in use by others, {engine}")


async def _cancel(*tasks: asyncio.Task[None] | asyncio.Task[bool]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
