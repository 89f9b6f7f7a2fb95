# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Requests for one run: a trace at a given rate, another part of it for each seed.

A fleet of 16 engines gets so many copies of a trace, faster than in life. The copies' conversations share only what all
of the trace's do. A larger fleet gets more copies, a smaller one fewer, or some of the conversations. So the rate of an
engine and the number of copies say how much faster everything is. Each copy begins at a random place and goes round.

Arrivals keep the trace's own bursts. The part of it that a run has is stretched so that the rate is the one wanted.
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
        found: list[tuple[float, int, Prompt]] = []
        for copy in range(ceil(copies)):
            share = min(1.0, copies - copy)
            found += _turned(trace, copy, share, random)
        found.sort(key=lambda each: each[:2])
        arrivals = _rounds(found, trace.seconds, requests)
        self.speed = arrivals[-1][0] * rate / requests
        self._arrivals = [
            (time / self.speed, copy, prompt, random.randrange(gateways)) for time, copy, prompt in arrivals
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
