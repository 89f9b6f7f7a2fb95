# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The engine is a queue: where its batch has k seats and steps always take the same time, it is M/G/k.

Its waiting time is known in closed form. So arrivals, order, seats and time are right.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from math import factorial
from random import Random

import pytest

from benchmarks.scheduling.request import Request
from benchmarks.scheduling.step_times import StepTimes
from tests.unit.benchmarks.scheduling.lone_engine import serve

pytestmark = pytest.mark.slow

STEP = 0.005  # seconds; a request takes 200 steps on the average, so that it hardly matters that steps are whole
MEAN = 1.0


def arrivals(rate: float, service: Callable[[Random], float], requests: int) -> list[Request]:
    """Return requests that come at random, `rate` a second."""
    random = Random(7)
    coming, now = [], 0.0
    for number in range(requests):
        now += random.expovariate(rate)
        coming.append(Request(number, now, 1, max(1, round(service(random) / STEP))))
    return coming


def waits(seats: int, rate: float, service: Callable[[Random], float], requests: int = 30_000) -> float:
    """Return the mean wait of requests that come at random."""
    coming = arrivals(rate, service, requests)
    serve(coming, StepTimes([STEP] * 100), step_requests=seats)
    measured = coming[requests // 10 :]
    return sum(each.first - STEP - each.arrival for each in measured) / len(measured)


def erlang_c_wait(seats: int, rate: float) -> float:
    """Return the mean wait of M/M/k with a mean service of 1 s (Erlang, 1917)."""
    busy = rate * MEAN
    last = busy**seats / factorial(seats) * seats / (seats - busy)
    waiting = last / (sum(busy**n / factorial(n) for n in range(seats)) + last)
    return waiting / (seats / MEAN - rate)


def pollaczek_khinchine_wait(rate: float, square: float) -> float:
    """Return the mean wait of M/G/1 with a mean service of 1 s and this mean square (Pollaczek and Khinchine, 1932)."""
    return rate * square / (2 * (1 - rate * MEAN))


@pytest.mark.parametrize(("seats", "rate"), [(1, 0.5), (4, 2.4)])
def test_with_exponential_lengths_it_waits_as_erlang_c_says(seats: int, rate: float) -> None:
    found = waits(seats, rate, lambda random: random.expovariate(1 / MEAN), 60_000)
    assert found == pytest.approx(erlang_c_wait(seats, rate), rel=0.08)


def test_each_request_waits_for_the_first_of_eight_seats_to_be_free() -> None:
    """Kiefer and Wolfowitz (1955): the wait of each request of G/G/k, without chance."""
    coming = arrivals(6.8, lambda random: random.expovariate(1 / MEAN), 10_000)
    serve(coming, StepTimes([STEP] * 100), step_requests=8)
    free, off = [0.0] * 8, []
    for each in coming:
        begin = max(each.arrival, heappop(free))
        heappush(free, begin + each.output * STEP)
        off.append(abs(each.first - STEP - begin))
    assert sum(each.first - STEP - each.arrival for each in coming) > 10_000 * 50 * STEP  # they do wait
    assert sum(off) / len(off) < 8 * STEP  # each service begins with a step's beginning, one after the other


@pytest.mark.parametrize("rate", [0.5, 0.7])
def test_with_equal_lengths_one_seat_waits_as_pollaczek_and_khinchine_say(rate: float) -> None:
    assert waits(1, rate, lambda random: MEAN) == pytest.approx(pollaczek_khinchine_wait(rate, MEAN**2), rel=0.05)


def test_with_very_uneven_lengths_too() -> None:
    """One in ten takes 5.5 s, the others 0.5 s: a mean square of 3.25."""
    found = waits(1, 0.5, lambda random: 5.5 if random.random() < 0.1 else 0.5, 60_000)
    assert found == pytest.approx(pollaczek_khinchine_wait(0.5, 0.1 * 5.5**2 + 0.9 * 0.5**2), rel=0.06)


def test_prompts_alone_are_a_queue_as_well() -> None:
    """Each token of a prompt takes 1 ms, one prompt at a time, in chunks of 300."""
    random, coming, now = Random(3), [], 0.0
    for number in range(20_000):
        now += random.expovariate(0.6)
        coming.append(Request(number, now, random.choice((500, 1000, 1500)), 1))
    serve(coming, StepTimes([tokens / 1e3 for tokens in range(301)]), step_tokens=300, step_requests=1)
    found = sum(each.end - each.prompt / 1e3 - each.arrival for each in coming) / len(coming)
    assert found == pytest.approx(pollaczek_khinchine_wait(0.6, (0.25 + 1 + 2.25) / 3), rel=0.05)
