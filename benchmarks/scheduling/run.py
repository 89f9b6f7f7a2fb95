# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""One run: a workload, a fleet and a way to choose, until all requests are over. The same seed gives the same run."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from time import process_time

import numpy as np
from msgspec import Struct

from benchmarks.scheduling.fleet import ENGINE_HOP, Fleet
from benchmarks.scheduling.loop import Loop
from benchmarks.scheduling.profiles import Profile
from benchmarks.scheduling.request import Request
from benchmarks.scheduling.scenario import BEGINS_SHARE, SCENARIOS
from benchmarks.scheduling.ways import Way

MakeWay = Callable[[Fleet, Callable[[], float], int], Way]
"""Makes a way for a fleet, with a source of randomness and a number of gateways."""
WARM_SHARE = 0.25
"""The share of the requests, the first ones, that fill caches and queues and are not measured."""
SAMPLED = 4
"""Every so many arrivals the engines' loads are compared."""


class Figures(Struct, frozen=True):
    """What a run came to. Times in seconds, of the requests that were measured.

    `ttft`, `e2e`: p50, p90 and p99 from the arrival at the gateway to the first and the last token there.
    `within`: the share of first tokens within 1, 2 and 5 s.
    `hits`: the share of the prompts' tokens that engines found in their caches.
    `imbalance`: the requests of the fullest engine over the mean, at arrivals.
    `herd`: the share of decisions for an engine that had been given a request which the chooser did not know of. None
        if it knew nothing of any.
    `preempted`: preemptions per 1,000 requests.
    `busy`: the share of time that engines had a step under way.
    `rate`: requests a second.
    `cpu`: seconds of CPU that the run took.
    `odd`: how many of the scenario's watched requests went to the odd engine.
    `failed`: requests of 1,000 that failed. They are in no other figure.
    """

    ttft: tuple[float, float, float]
    e2e: tuple[float, float, float]
    mean_ttft: float
    within: tuple[float, float, float]
    hits: float
    imbalance: float
    herd: float | None
    preempted: float
    busy: float
    rate: float
    requests: int
    cpu: float
    odd: int = 0
    failed: float = 0.0


class Run:
    """A run. `requests` are in the order of arrival, and new."""

    def __init__(
        self,
        profile: Profile,
        engines: int,
        gateways: int,
        requests: list[Request],
        make: MakeWay,
        seed: int,
        scenario: str = "",
    ) -> None:
        self.loop = Loop()
        self.requests = requests
        self.fleet = Fleet(self.loop, profile, engines, self._first, self._end, SCENARIOS[scenario])
        self.way = make(self.fleet, Random(seed).random, gateways)
        self._left = len(requests)
        self._coming = iter(requests)
        self._ratios: list[float] = []
        self._warm = int((BEGINS_SHARE if self.fleet.scenario.begins else WARM_SHARE) * len(requests))

    def figures(self) -> Figures:
        """Run it. Returns what it came to."""
        began = process_time()
        self._next()
        self.loop.run()
        return self._summary(process_time() - began)

    def _next(self) -> None:
        request = next(self._coming, None)
        if request is not None:
            self.loop.at(request.arrival, self._arrive, request)

    def _arrive(self, request: Request) -> None:
        if request.number == self._warm:
            self.fleet.begun = True
        self.way.arrive(request)
        if request.number >= self._warm and request.number % SAMPLED == 0:
            loads = self.fleet.loads()
            total = sum(loads)
            if total:
                self._ratios.append(max(loads) * len(loads) / total)
        self._next()

    def _first(self, request: Request) -> None:
        self.way.first_token(request)

    def _end(self, request: Request) -> None:
        self.way.ended(request)
        self._left -= 1
        if not self._left:
            self.way.close()

    def _summary(self, cpu: float) -> Figures:
        after = self.requests[self._warm :]
        measured = [each for each in after if not each.failed]
        last = len(self.fleet.engines) - 1
        ttft = np.array([each.first + ENGINE_HOP - each.arrival for each in measured])
        e2e = np.array([each.end + ENGINE_HOP - each.arrival for each in measured])
        prompts = sum(each.prompt for each in measured)
        known = [each.unknown for each in measured if each.unknown is not None]
        span = self.requests[-1].arrival - self.requests[0].arrival
        engines = self.fleet.engines
        return Figures(
            ttft=_percentiles(ttft),
            e2e=_percentiles(e2e),
            mean_ttft=float(ttft.mean()),
            within=tuple(float((ttft <= limit).mean()) for limit in (1.0, 2.0, 5.0)),  # type: ignore[arg-type] # three
            hits=sum(each.cached for each in measured) / prompts,
            imbalance=float(np.mean(self._ratios)) if self._ratios else 1.0,
            herd=sum(each > 0 for each in known) / len(known) if known else None,
            preempted=1000 * sum(each.preempted for each in engines) / len(self.requests),
            busy=sum(each.busy for each in engines) / len(engines) / self.loop.now,
            rate=len(self.requests) / span if span else 0.0,
            requests=len(self.requests),
            cpu=cpu,
            odd=sum(each.place == last for each in after[: self.fleet.scenario.watched]),
            failed=1000 * (1 - len(measured) / len(after)),
        )


def _percentiles(values: np.ndarray) -> tuple[float, float, float]:
    p50, p90, p99 = np.quantile(values, (0.5, 0.9, 0.99)).tolist()
    return p50, p90, p99
