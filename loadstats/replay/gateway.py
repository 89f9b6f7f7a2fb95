# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""One gateway: takes a request through its life against the nodes and keeps count. Owned by the replay's loop.

Always holds: a call and its entry in the expectations happen between two checkpoints, never around one.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from .balancer import least_loaded
from .client import CALLS_AT_ONCE, CallFailed, GatewayClient
from .clock import PlayClock
from .cluster import ReplayCluster
from .engines import ReplayEngine
from .measures import Measures


@dataclass(frozen=True, slots=True)
class PlayedRequest:
    """One request as a gateway plays it: its arrival and its service times, in played seconds."""

    cluster: ReplayCluster
    request_id: str
    arrives: float
    prompt_length: int
    prefill_seconds: float
    decode_seconds: float


class Gateway:
    """Plays requests, at most `CALLS_AT_ONCE` calls at a time. A failed call does not end its request."""

    def __init__(
        self,
        client: GatewayClient,
        measures: Measures,
        clock: PlayClock,
        rng: random.Random,
    ) -> None:
        self._client = client
        self._measures = measures
        self._clock = clock
        self._rng = rng
        self._turns = asyncio.Semaphore(CALLS_AT_ONCE)

    async def begin(self, request: PlayedRequest, due: float | None = None) -> None:
        """Read the loads, pick the least loaded engine, and add the request to it. Records how late that is."""
        cluster = request.cluster
        rows = await self._loads(request, due)
        engine = least_loaded(cluster.engines, rows, self._rng)
        async with self._turn():
            sure = await _answered(self._client.add(cluster.name, request.request_id, engine, request.prompt_length))
            cluster.expectations.added(request.request_id, engine, request.prompt_length, sure=sure)
            self._measures.begin()

    async def first_token(self, request: PlayedRequest) -> None:
        """Report the first token."""
        async with self._turn():
            sure = await _answered(self._client.first_token(request.request_id))
            request.cluster.expectations.first_token(request.request_id, sure=sure)

    async def done(self, request: PlayedRequest) -> None:
        """Report the end."""
        await self.close(request.cluster, request.request_id)
        self._measures.end()

    async def close(self, cluster: ReplayCluster, request_id: str) -> None:
        """End a request that a node may still count."""
        async with self._turn():
            sure = await _answered(self._client.done(request_id))
            cluster.expectations.done(request_id, sure=sure)

    async def _loads(self, request: PlayedRequest, due: float | None) -> list[ReplayEngine]:
        async with self._turn():
            if due is not None:
                self._measures.lag_seconds.append(self._clock.now() - due)
            try:
                return await self._client.query(request.cluster.name, request.request_id)
            except CallFailed:
                return []

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        async with self._turns, self._clock.call():
            yield


async def _answered(call: Awaitable[None]) -> bool:
    try:
        await call
    except CallFailed:
        return False
    return True
