# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""When a gateway makes its calls: by the trace's schedule, or flat out. Owned by the replay's loop."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence

from .clock import PlayClock
from .gateway import Gateway, PlayedRequest

# Requests a gateway keeps open when it plays flat out: with eight gateways a thousand at a node.
WINDOW = 128


async def scheduled(gateway: Gateway, lives: Sequence[PlayedRequest], clock: PlayClock) -> None:
    """Play each request at its own times."""
    async with asyncio.TaskGroup() as playing:
        for request in lives:
            await clock.until(request.arrives)
            playing.create_task(_live(gateway, request, clock))


async def _live(gateway: Gateway, request: PlayedRequest, clock: PlayClock) -> None:
    await gateway.begin(request, due=request.arrives)
    await clock.until(clock.now() + request.prefill_seconds)
    await gateway.first_token(request)
    await clock.until(clock.now() + request.decode_seconds)
    await gateway.done(request)


async def flat_out(gateway: Gateway, lives: Sequence[PlayedRequest], rng: random.Random, window: int = WINDOW) -> None:
    """Play call after call without waiting. `window` requests are open and move on in random order."""
    prefilling: list[PlayedRequest] = []
    decoding: list[PlayedRequest] = []

    async def move_one() -> None:
        index = rng.randrange(len(prefilling) + len(decoding))
        if index < len(prefilling):
            decoding.append(request := _take(prefilling, index))
            await gateway.first_token(request)
        else:
            await gateway.done(_take(decoding, index - len(prefilling)))

    for request in lives:
        await gateway.begin(request)
        prefilling.append(request)
        while len(prefilling) + len(decoding) >= window:
            await move_one()
    while prefilling or decoding:
        await move_one()


def _take(lives: list[PlayedRequest], index: int) -> PlayedRequest:
    lives[index], lives[-1] = lives[-1], lives[index]
    return lives.pop()
