# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Requests for one run: a trace at a given rate, another part of it for each seed.

A fleet of 16 engines gets a trace as it is, faster. A larger fleet gets several copies, whose conversations share only
what all of the trace's do; a smaller one gets some of the conversations. So the rate of an engine alone says how much
faster than in life everything is. Each copy begins at a random place and goes round. Times stay as they are but for the
trace's own coarseness.
"""

from __future__ import annotations

from math import ceil
from random import Random

from benchmarks.scheduling.request import Request
from benchmarks.scheduling.traces import Prompt, Trace

ENGINES_A_COPY = 16


class Workload:
    """Requests in the order of their arrival."""

    def __init__(
        self, trace: Trace, engines: int, rate: float, requests: int, gateways: int, seed: int, copies: float = 1.0
    ) -> None:
        """`rate` is in requests a second of the whole fleet; `requests` is how many there are; `copies` how many of the
        trace 16 engines get."""
        random = Random(f"{trace.name} {seed}")
        copies *= engines / ENGINES_A_COPY
        speed = rate / (copies * len(trace.prompts) / trace.seconds)
        found: list[tuple[float, int, Prompt]] = []
        for copy in range(ceil(copies)):
            share = min(1.0, copies - copy)
            found += _turned(trace, copy, share, random)
        found.sort(key=lambda each: each[:2])
        self.speed = speed
        self._arrivals = [
            (time / speed, copy, prompt, random.randrange(gateways))
            for time, copy, prompt in _rounds(found, trace.seconds, requests)
        ]

    def requests(self) -> list[Request]:
        """Return the requests, new ones for each run."""
        return [
            Request(number, time, each.prompt, each.output, _own(each.blocks, copy), gateway)
            for number, (time, copy, each, gateway) in enumerate(self._arrivals)
        ]


def _turned(trace: Trace, copy: int, share: float, random: Random) -> list[tuple[float, int, Prompt]]:
    """Return a share of a trace's conversations, beginning at a random place of it."""
    begin = random.uniform(0, trace.seconds)
    kept: dict[int, bool] = {}
    found: list[tuple[float, int, Prompt]] = []
    for each in trace.prompts:
        conversation = each.blocks[1] if len(each.blocks) > 1 else -len(found)
        if share < 1.0 and not kept.setdefault(conversation, random.random() < share):
            continue
        found.append(((each.time + random.uniform(0, trace.tick) - begin) % trace.seconds, copy, each))
    return found


def _rounds(found: list[tuple[float, int, Prompt]], seconds: float, requests: int) -> list[tuple[float, int, Prompt]]:
    """Return so many requests. Those of a second round are other conversations than those of the first."""
    arrivals: list[tuple[float, int, Prompt]] = []
    lap = 0
    while len(arrivals) < requests:
        arrivals += [(time + lap * seconds, copy + 1000 * lap, each) for time, copy, each in found]
        lap += 1
    return arrivals[:requests]


def _own(blocks: tuple[int, ...], copy: int) -> tuple[int, ...]:
    """Return the blocks of a copy: only the first, which every conversation begins with, is the same in all."""
    if copy and blocks:
        return (blocks[0], *(block + (copy << 32) for block in blocks[1:]))
    return blocks
