# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Ways for gateways to choose an engine without this service. Each belongs to one run.

A way is told of arrivals at gateways, and of first tokens and ends when engines are done with them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from benchmarks.scheduling.fleet import ENGINE_HOP, Fleet, least
from benchmarks.scheduling.request import Request

SCRAPE_SECONDS = 0.005
"""From asking all engines for their gauges to having read them: vLLM writes its page in single-digit milliseconds."""

Random = Callable[[], float]


class Way(Protocol):
    """How gateways know the load and choose."""

    def arrive(self, request: Request) -> None:
        """Choose an engine for a request that came to its gateway now, and send it there."""

    def first_token(self, request: Request) -> None:
        """Take note that an engine was done with a prompt now."""

    def ended(self, request: Request) -> None:
        """Take note that an engine was done with a request now."""

    def close(self) -> None:
        """Plan nothing more: all requests are over."""


class Quiet:
    """A way that takes no note of anything."""

    def first_token(self, request: Request) -> None:
        """Ignore it."""

    def ended(self, request: Request) -> None:
        """Ignore it."""

    def close(self) -> None:
        """There is nothing to stop."""


class Randomly(Quiet):
    """Any engine."""

    def __init__(self, fleet: Fleet, random: Random) -> None:
        self._fleet = fleet
        self._random = random

    def arrive(self, request: Request) -> None:
        """Choose a random engine."""
        self._fleet.give(request, int(self._random() * len(self._fleet.engines)), None, ENGINE_HOP)


class RoundRobin(Quiet):
    """Each gateway goes round the engines by itself, from a random one on."""

    def __init__(self, fleet: Fleet, random: Random, gateways: int) -> None:
        self._fleet = fleet
        self._next = [int(random() * len(fleet.engines)) for _ in range(gateways)]

    def arrive(self, request: Request) -> None:
        """Choose the gateway's next engine."""
        place = self._next[request.gateway]
        self._next[request.gateway] = (place + 1) % len(self._fleet.engines)
        self._fleet.give(request, place, None, ENGINE_HOP)


class Polled(Quiet):
    """Each gateway reads all engines' gauges every `period` seconds and takes the fewest requests it saw then."""

    def __init__(self, fleet: Fleet, random: Random, gateways: int, period: float) -> None:
        self._fleet = fleet
        self._random = random
        self._period = period
        self._seen = [[0] * len(fleet.engines) for _ in range(gateways)]
        self._came = [[0] * len(fleet.engines) for _ in range(gateways)]
        self._open = True
        for gateway in range(gateways):
            fleet.loop.after(random() * period, self._poll, gateway)

    def arrive(self, request: Request) -> None:
        """Choose one of those that had the fewest requests."""
        place = least(self._seen[request.gateway], self._random)
        self._fleet.give(request, place, self._came[request.gateway][place], ENGINE_HOP)

    def close(self) -> None:
        """Poll no more."""
        self._open = False

    def _poll(self, gateway: int) -> None:
        if self._open:
            loop = self._fleet.loop
            loop.after(SCRAPE_SECONDS, self._read, gateway, self._fleet.loads(), self._fleet.came.copy())
            loop.after(self._period, self._poll, gateway)

    def _read(self, gateway: int, loads: list[int], came: list[int]) -> None:
        self._seen[gateway], self._came[gateway] = loads, came


class OwnCounts(Quiet):
    """Each gateway counts what it has in flight itself and takes the fewest, like Envoy's LEAST_REQUEST."""

    def __init__(self, fleet: Fleet, random: Random, gateways: int) -> None:
        self._fleet = fleet
        self._random = random
        self._held = [[0] * len(fleet.engines) for _ in range(gateways)]
        self._sent = [[0] * len(fleet.engines) for _ in range(gateways)]

    def arrive(self, request: Request) -> None:
        """Choose the engine with the fewest of the gateway's own requests."""
        held, sent = self._held[request.gateway], self._sent[request.gateway]
        place = least(held, self._random)
        self._fleet.give(request, place, sent[place], ENGINE_HOP)
        held[place] += 1
        sent[place] += 1

    def ended(self, request: Request) -> None:
        """Count it off, once the gateway has seen the end."""
        self._fleet.loop.after(ENGINE_HOP, self._off, request)

    def _off(self, request: Request) -> None:
        self._held[request.gateway][request.place] -= 1


class Oracle(Quiet):
    """Knows what engines know, at once: the fewest tokens to be read until the first token, this prompt's included.

    No real way can. It shows how much there is to win.
    """

    def __init__(self, fleet: Fleet, random: Random) -> None:
        self._fleet = fleet
        self._random = random

    def arrive(self, request: Request) -> None:
        """Choose by the engines' own queues and caches."""
        work = []
        for place, engine in enumerate(self._fleet.engines):
            found, _ = engine.pool.match(request.blocks, (request.prompt - 1) // 512)
            ahead = self._fleet.given[place] - self._fleet.came[place]
            work.append(engine.unread + request.prompt - 512 * found + 250 * (engine.load + ahead))
        place = least(work, self._random)
        self._fleet.give(request, place, self._fleet.given[place], ENGINE_HOP)
