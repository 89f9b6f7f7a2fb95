# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Which node a gateway calls: by a hash of the cluster, past a breaker that is open. Owned by the replay's loop.

As the contract says of the real gateway: `fnv32a(cluster) % number_of_nodes` over the sorted list, a delete as if its
cluster were empty, and one fail-over to the next node of the list.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

BREAKER_FAILURES = 10
BREAKER_SECONDS = 5.0


def fnv32a(text: str) -> int:
    """Return the 32-bit FNV-1a hash. Source: http://www.isthe.com/chongo/tech/comp/fnv/."""
    value = 0x811C9DC5
    for byte in text.encode():
        value = (value ^ byte) * 0x01000193 & 0xFFFFFFFF
    return value


def node_of(cluster: str, nodes: int) -> int:
    """Return the place, in the sorted list, of the node that is called first."""
    return fnv32a(cluster) % nodes


def cluster_names(name: str, clusters: int, nodes: int) -> list[str]:
    """Return names that hash to the nodes in turn; `name` itself if one is enough."""
    if clusters == 1:
        return [name]
    found: list[str] = []
    for number in count():
        each = f"{name}-{number}"
        if node_of(each, nodes) == len(found) % nodes:
            found.append(each)
        if len(found) == clusters:
            break
    return found


class Breaker:
    """One gateway's circuit breaker for one node. It opens after `BREAKER_FAILURES` failures in a row.

    When its time is over it lets calls through again; the next failure opens it again, a success closes it. `now` is in
    seconds.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._failures = 0
        self._open_until = 0.0
        self.openings = 0

    @property
    def is_open(self) -> bool:
        """Whether calls skip this node."""
        return self._failures >= BREAKER_FAILURES and self._now() < self._open_until

    def succeeded(self) -> None:
        """Record a success."""
        self._failures = 0

    def failed(self) -> None:
        """Record a failure. A call that was in flight when the breaker opened does not open it again."""
        if self.is_open:
            return
        self._failures += 1
        if self._failures >= BREAKER_FAILURES:
            self._open_until = self._now() + BREAKER_SECONDS
            self.openings += 1
