# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The engines that a choice may take, as a pick policy sees them.

A view is kept from one choice to the next, by the cluster or by the names of a call. It is used under the ledger's
lock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import Any

from loadstats.ledger.candidate_numbers import LISTED, CandidateNumbers
from loadstats.ledger.failures import Failures

Take = Callable[[list[float]], list[float]]
"""Takes some engines' numbers out of all. Returns a new list."""


class CandidateView:
    """Some engines of a cluster, each at a place.

    `ips`: the engines' addresses by place.
    `name`: returns the name of the engine at a place.
    `weights`: the engines' weights by place, where they are not 1: how much more than another each can do.
    `memory`: what a policy keeps for the next choice among the same engines; empty at first.
    """

    __slots__ = (
        "_by_ip",
        "_names",
        "_numbers",
        "_place_of",
        "_places",
        "_shape",
        "_take",
        "_those",
        "ips",
        "memory",
        "name",
        "weights",
    )

    def __init__(
        self,
        numbers: CandidateNumbers,
        take: Take,
        ips: Sequence[str],
        name: Callable[[int], str],
        place_of: Callable[[int], int | None] = lambda index: index,
    ) -> None:
        """View all engines in the order of `numbers`; or, for a single choice, those that `take` takes.

        `place_of` returns the place in the view of an engine at a place of `numbers`; None if it is not in the view.
        """
        self._numbers = numbers
        self._shape = numbers.shape
        self._take = take
        self._those: list[int] | None = None
        self._places: dict[int, int] | None = None
        self._by_ip: dict[str, list[int]] | None = None
        self._names: list[str] | None = None
        self.ips = ips
        self.name = name
        self._place_of = place_of
        self.weights: Mapping[int, float] = {}
        self.memory: dict[Any, Any] = {}

    @classmethod
    def some(
        cls, numbers: CandidateNumbers, those: list[int], ips: Sequence[str], name: Callable[[int], str]
    ) -> CandidateView:
        """View the engines at some places of `numbers`. The place after the last stands for an engine without load."""
        first, *others = those
        several = itemgetter(*those)

        def take(column: list[float]) -> list[float]:
            them = [*column, 0.0]
            return list(several(them)) if others else [them[first]]

        view = cls(numbers, take, ips, name)
        view._those = those
        return view

    @property
    def failing(self) -> Iterator[tuple[int, Failures]]:
        """The places of engines that failed since they last did well, and how they did. Usually none."""
        for engine in self._numbers.failing.values():
            place = self.place_of(engine.index)
            if place is not None and engine.failures is not None:
                yield place, engine.failures

    @property
    def has_failing(self) -> bool:
        """Whether an engine of the cluster failed since it last did well."""
        return bool(self._numbers.failing)

    def newcomers(self, since_tick: int) -> Iterator[tuple[int, int | None]]:
        """The places of the engines that were listed later than `since_tick`, and when; None where they are not yet."""
        for engine in self._numbers.newest():
            if engine.opened_tick <= since_tick:
                break
            place = self.place_of(engine.index)
            if place is not None:
                yield place, engine.opened_tick
        if self._those is not None:
            unlisted = len(self._numbers.requests)
            for place, index in enumerate(self._those):
                if index >= unlisted:
                    yield place, None

    def is_current(self, numbers: CandidateNumbers) -> bool:
        """Whether the view is of these numbers, and every engine is still at its place."""
        return self._numbers is numbers and self._shape == numbers.shape

    def prefills(self) -> list[float]:
        """Return how many requests of each have had no first token, as a new list."""
        return self._take(self._numbers.prefills)

    def numbers(self) -> tuple[list[float], list[float]]:
        """Return the requests and the prompt lengths of all, as new lists. Takes 20 µs for 1,000 engines."""
        return self._take(self._numbers.requests), self._take(self._numbers.prompts)

    def place_of(self, index: int) -> int | None:
        """Return the place of an engine that is at a place of the cluster; None if it is not among these."""
        return self._place_of(index) if self._those is None else self._places_of(self._those).get(index)

    def _places_of(self, those: list[int]) -> dict[int, int]:
        if self._places is None:
            self._places = {index: place for place, index in enumerate(those)}
        return self._places

    @property
    def names(self) -> Sequence[str]:
        """The engines' names by place."""
        if self._names is None:
            self._names = [self.name(place) for place in range(len(self.ips))]
        return self._names

    @property
    def places(self) -> Mapping[str, Sequence[int]]:
        """The places of each address's engines."""
        if self._by_ip is None:
            self._by_ip = {}
            for place, ip in enumerate(self.ips):
                self._by_ip.setdefault(ip, []).append(place)
        return self._by_ip

    @property
    def changes(self) -> int:
        """How many times the numbers of an engine of the cluster changed."""
        return self._numbers.changes

    def since(self, changes: int) -> list[tuple[int, float, float]] | None:
        """Return the places that changed after the first `changes` changes, with their requests and prompt lengths now.

        Returns None if reading all numbers again is cheaper.
        """
        numbers = self._numbers
        changed = numbers.since(changes)
        if changed is None or 4 * len(changed) > LISTED + len(self.ips):
            return None
        requests, prompts = numbers.requests, numbers.prompts
        if self._those is None:
            return [(place, requests[place], prompts[place]) for place in changed]
        places = self._places_of(self._those)
        return [(places[index], requests[index], prompts[index]) for index in changed if index in places]
