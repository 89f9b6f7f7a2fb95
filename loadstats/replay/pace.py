# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""When a gateway makes its calls: by the trace's schedule, or flat out. Owned by the replay's loop."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence

from .clock import PlayClock
from .gateway import Gateway, Life

# Requests a gateway keeps open when it plays flat out: with eight gateways a thousand at a node.
WINDOW = 128


async def scheduled(gateway: Gateway, lives: Sequence[Life], clock: PlayClock) -> None:
    """Each request begins when it arrives and ends when its engine is done with it."""
    async with asyncio.TaskGroup() as playing:
        for life in lives:
            await clock.until(life.arrives)
            playing.create_task(_live(gateway, life, clock))


async def _live(gateway: Gateway, life: Life, clock: PlayClock) -> None:
    await gateway.begin(life, due=life.arrives)
    await clock.until(clock.now() + life.prefill_seconds)
    await gateway.first_token(life)
    await clock.until(clock.now() + life.decode_seconds)
    await gateway.done(life)


async def flat_out(gateway: Gateway, lives: Sequence[Life], rng: random.Random, window: int = WINDOW) -> None:
    """One call after the other, whatever the lives' times; `window` requests are open and move on in random order."""
    prefilling: list[Life] = []
    decoding: list[Life] = []

    async def move_one() -> None:
        index = rng.randrange(len(prefilling) + len(decoding))
        if index < len(prefilling):
            decoding.append(life := _take(prefilling, index))
            await gateway.first_token(life)
        else:
            await gateway.done(_take(decoding, index - len(prefilling)))

    for life in lives:
        await gateway.begin(life)
        prefilling.append(life)
        while len(prefilling) + len(decoding) >= window:
            await move_one()
    while prefilling or decoding:
        await move_one()


def _take(lives: list[Life], index: int) -> Life:
    lives[index], lives[-1] = lives[-1], lives[index]
    return lives.pop()
