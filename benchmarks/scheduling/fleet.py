# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The engines of one run, and what was given to each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

from benchmarks.scheduling.engine import Engine
from benchmarks.scheduling.kv_pool import KvPool
from benchmarks.scheduling.loop import Loop
from benchmarks.scheduling.profiles import Profile
from benchmarks.scheduling.request import Request
from benchmarks.scheduling.scenario import SCENARIOS, Scenario
from benchmarks.scheduling.step_times import StepTimes

ENGINE_HOP = 0.0005
"""Seconds from a gateway to an engine and back again, one way: a network within a region."""


class Fleet:
    """Engines by place.

    `names`: what gateways call them.
    `given`: how many requests were sent to each.
    `came`: how many have arrived there.
    `scenario`: what is odd.
    `begun`: whether it has happened.
    """

    def __init__(
        self,
        loop: Loop,
        profile: Profile,
        engines: int,
        on_first: Callable[[Request], object],
        on_end: Callable[[Request], object],
        scenario: Scenario = SCENARIOS[""],
    ) -> None:
        self.loop = loop
        self.scenario = scenario
        self.begun = False
        self._on_end = on_end
        times = StepTimes.of(profile)
        slow = times if scenario.slow == 1.0 else times.slowed(scenario.slow)
        self.engines = [
            Engine(
                loop,
                slow if place % 2 else times,
                KvPool(profile.kv_tokens),
                on_first,
                on_end,
                step_tokens=profile.step_tokens,
                step_requests=profile.step_requests,
            )
            for place in range(engines)
        ]
        self.names = [f"10.0.{place // 250}.{place % 250 + 1}" for place in range(engines)]
        self.given = [0] * engines
        self.came = [0] * engines

    def loads(self) -> list[int]:
        """Return how many requests each engine has, as its own gauges say."""
        return [each.load for each in self.engines]

    def give(self, request: Request, place: int, known: int | None, after: float) -> None:
        """Decide for an engine, and send the request to it `after` seconds from now.

        `known` is how many requests it had been given that the chooser knew of; None if it knew nothing of any.
        """
        request.place = place
        if known is not None:
            request.unknown = self.given[place] - known
        self.given[place] += 1
        self.loop.after(after, self._arrive, request)

    def _arrive(self, request: Request) -> None:
        self.came[request.place] += 1
        scenario = self.scenario
        if scenario.fails or scenario.errs:
            odd = self.begun and scenario.fails and request.place == len(self.engines) - 1
            if odd or Random(request.number).random() < scenario.errs:
                request.failed = True
                request.first = request.end = self.loop.now
                self._on_end(request)
                return
        self.engines[request.place].submit(request)


def least(numbers: Sequence[float], random: Callable[[], float], second: Sequence[float] = ()) -> int:
    """Return the place of the lowest number, of several that of the lowest `second`, of several a random one."""
    lowest = min(numbers)
    places = [place for place, number in enumerate(numbers) if number == lowest]
    if second and len(places) > 1:
        lowest = min(second[place] for place in places)
        places = [place for place in places if second[place] == lowest]
    return places[int(random() * len(places))] if len(places) > 1 else places[0]
