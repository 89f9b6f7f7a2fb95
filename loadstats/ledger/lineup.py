# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The engines to choose from, as a choice is shown them.

Kept from one choice to the next, with a cluster's loads or with the names of a call, and used under the ledger's lock.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any

from loadstats.ledger.loads import LISTED, Loads

Take = Callable[[list[float]], list[float]]
"""Takes some engines' numbers out of all. Returns a new list."""


class Lineup:
    """Engines by place: `ips` are their addresses, `name` tells the name of the one at a place. `memory` is what a
    choice wants to find again: it begins empty, and stays with the engines as long as they keep their places."""

    __slots__ = ("_by_ip", "_loads", "_places", "_take", "_those", "ips", "memory", "name")

    def __init__(self, loads: Loads, take: Take, ips: Sequence[str], name: Callable[[int], str]) -> None:
        """All engines, in the order of `loads`; or those that `take` takes, for a single choice."""
        self._loads = loads
        self._take = take
        self._those: list[int] | None = None
        self._places: dict[int, int] | None = None
        self._by_ip: dict[str, list[int]] | None = None
        self.ips = ips
        self.name = name
        self.memory: dict[Any, Any] = {}

    @classmethod
    def some(cls, loads: Loads, those: list[int], ips: Sequence[str], name: Callable[[int], str]) -> Lineup:
        """Those engines, by place in `loads`; the place after the last is of any that nobody has used yet."""
        first, *others = those
        several = itemgetter(*those)

        def take(numbers: list[float]) -> list[float]:
            them = [*numbers, 0.0]
            return list(several(them)) if others else [them[first]]

        lineup = cls(loads, take, ips, name)
        lineup._those = those
        return lineup

    def numbers(self) -> tuple[list[float], list[float]]:
        """The requests and the prompt lengths of all, to be kept. Takes 20 µs of 1,000."""
        return self._take(self._loads.requests), self._take(self._loads.prompts)

    @property
    def places(self) -> Mapping[str, Sequence[int]]:
        """The places of an address's engines."""
        if self._by_ip is None:
            self._by_ip = {}
            for place, ip in enumerate(self.ips):
                self._by_ip.setdefault(ip, []).append(place)
        return self._by_ip

    @property
    def changes(self) -> int:
        """How many changes of such numbers there were, in the whole cluster."""
        return self._loads.changes

    def since(self, changes: int) -> list[tuple[int, float, float]] | None:
        """The places that may have changed since there were so many changes, with their requests and prompt lengths as
        they are now. None where it is less to read all anew."""
        loads = self._loads
        changed = loads.since(changes)
        if changed is None or 4 * len(changed) > LISTED + len(self.ips):
            return None
        requests, prompts = loads.requests, loads.prompts
        if self._those is None:
            return [(place, requests[place], prompts[place]) for place in changed]
        if self._places is None:
            self._places = {index: place for place, index in enumerate(self._those)}
        places = self._places
        return [(places[index], requests[index], prompts[index]) for index in changed if index in places]
