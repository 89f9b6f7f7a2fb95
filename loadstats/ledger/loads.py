# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""A cluster's load as a choice reads it: plain numbers, engine by engine.

Owned by the cluster and used under the ledger's lock. Kept from the first choice on, and brought up to date with the
engines' bytes (`Cluster.refresh`): nothing that clients report costs more for it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from loadstats.ledger.cluster import Engine
    from loadstats.ledger.lineup import Lineup

LISTED = 64  # changes that are listed whatever the number of engines


class Loads:
    """`requests`, `prompts` and `ips` have an engine's numbers and address at its place in `Cluster.order`.

    The numbers are floats: weighted sums of 1,000 take 48 µs, of integers 64 µs. Exact up to 2**53. What is made of
    them may be kept and brought up to date by the places that changed since. `shape` is another number when an engine
    came, went or moved to another place: then all is to be made anew. `whole` is all engines as a choice is shown them.
    """

    __slots__ = ("_changed", "_unlisted", "ips", "prompts", "requests", "shape", "whole")

    def __init__(self, engines: Iterable[Engine]) -> None:
        self.requests: list[float] = []
        self.prompts: list[float] = []
        self.ips: list[str] = []
        self.shape = 0
        self.whole: Lineup | None = None
        self._changed: list[int] = []  # places, the latest last
        self._unlisted = 0  # how many changes came before those
        for engine in engines:
            self.open(engine)

    @property
    def changes(self) -> int:
        """How many there were."""
        return self._unlisted + len(self._changed)

    def since(self, changes: int) -> list[int] | None:
        """The places that changed since there were so many changes; None where those are no longer listed."""
        first = changes - self._unlisted
        return None if first < 0 else self._changed[first:]

    def open(self, engine: Engine) -> None:
        """An engine was put last."""
        self.requests.append(float(engine.queued_req_num))
        self.prompts.append(float(engine.prompt_length))
        self.ips.append(engine.name.ip)
        self._reshape()

    def close(self, engine: Engine) -> None:
        """The last engine takes this one's place."""
        index = engine.index
        requests, prompt, ip = self.requests.pop(), self.prompts.pop(), self.ips.pop()
        if index < len(self.requests):
            self.requests[index] = requests
            self.prompts[index] = prompt
            self.ips[index] = ip
        self._reshape()

    def update(self, engine: Engine) -> None:
        """An engine's numbers are others now, or may be."""
        index = engine.index
        requests, prompt = float(engine.queued_req_num), float(engine.prompt_length)
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

    def _reshape(self) -> None:
        self.shape += 1
        self.whole = None
