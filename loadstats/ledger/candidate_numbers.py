# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""A cluster's load as a choice reads it: plain numbers, engine by engine.

The cluster owns the numbers and uses them under the ledger's lock. They exist from the first choice on.
`Cluster.refresh` brings them up to date together with the engines' bytes, so a client's report costs no more for them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

from loadstats.ledger.failures import ListedEngine

NO_ENGINES: Mapping[str, ListedEngine] = MappingProxyType({})
LISTED = 64  # changes that are listed whatever the number of engines


class CandidateNumbers:
    """The numbers of all engines of a cluster, at their places in `Cluster.order`.

    The numbers are floats: weighted sums of 1,000 take 48 µs, of integers 64 µs. They are exact up to 2**53.

    `requests`: each engine's requests in flight.
    `prompts`: the sum of prompt lengths that each engine still has to read.
    `prefills`: each engine's requests before their first token.
    `ips`: each engine's address.
    `newest`: returns the cluster's engines, the one listed last first.
    `failing`: the engines by name that failed since they last did well: the cluster's own.
    `shape`: changes when an engine comes, leaves or moves; what was computed for another shape is out of date.
    """

    __slots__ = ("_changed", "_unlisted", "failing", "ips", "newest", "prefills", "prompts", "requests", "shape")

    def __init__(
        self,
        newest: Callable[[], Iterable[ListedEngine]] = tuple,
        failing: Mapping[str, ListedEngine] = NO_ENGINES,
    ) -> None:
        self.newest = newest
        self.failing = failing
        self.prefills: list[float] = []
        self.requests: list[float] = []
        self.prompts: list[float] = []
        self.ips: list[str] = []
        self.shape = 0
        self._changed: list[int] = []  # places, the latest last
        self._unlisted = 0  # how many changes came before those

    @property
    def changes(self) -> int:
        """How many times an engine's numbers changed."""
        return self._unlisted + len(self._changed)

    def since(self, changes: int) -> list[int] | None:
        """Return the places that changed after the first `changes` changes; None if they are no longer listed."""
        first = changes - self._unlisted
        return None if first < 0 else self._changed[first:]

    def open(self, ip: str, requests: int, prompt: int, prefills: int = 0) -> None:
        """Add an engine at the last place."""
        self.prefills.append(float(prefills))
        self.requests.append(float(requests))
        self.prompts.append(float(prompt))
        self.ips.append(ip)
        self.shape += 1

    def close(self, index: int) -> None:
        """Remove the engine at a place. The last engine moves there."""
        requests, prompt, ip = self.requests.pop(), self.prompts.pop(), self.ips.pop()
        prefills = self.prefills.pop()
        if index < len(self.requests):
            self.requests[index] = requests
            self.prompts[index] = prompt
            self.ips[index] = ip
            self.prefills[index] = prefills
        self.shape += 1

    def update(self, index: int, queued: int, prompt_length: int, prefills: int = 0) -> None:
        """Set the numbers of the engine at a place. Lists a change if requests or prompts differ."""
        self.prefills[index] = prefills
        requests, prompt = float(queued), float(prompt_length)
        if requests == self.requests[index] and prompt == self.prompts[index]:
            return
        self.requests[index] = requests
        self.prompts[index] = prompt
        changed = self._changed
        changed.append(index)
        if len(changed) > LISTED + len(self.requests):
            half = len(changed) // 2
            del changed[:half]
            self._unlisted += half
