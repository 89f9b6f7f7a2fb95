# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Clusters in a row each: what their engines' numbers add up to.

Any thread. A generator's `yield` is where other threads may have their turn; the lock is only taken to copy a list.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from contextlib import AbstractContextManager
from operator import attrgetter
from typing import TYPE_CHECKING, Annotated, Any

from msgspec import Meta, defstruct

from loadstats.ledger.engines import Engines
from loadstats.ledger.limits import SLICE
from loadstats.ledger.row import signal_type
from loadstats.ledger.signals import CONTRACT, OURS, SIGNALS, Load

PART = 2048  # names sorted in one go: 0.4 ms

if TYPE_CHECKING:

    class ClusterTotals(Load):
        """A cluster's sums: the signals of `Load`, and these members.

        `cluster`: its name.
        `engines`: how many engines are listed; 0 where the cluster closed while it was read.
        """

        cluster: str = ""
        engines: int = 0

else:
    ClusterTotals = defstruct(
        "Totals",  # its name in the API's schema
        [
            ("cluster", str),
            ("engines", Annotated[int, Meta(description="that are listed")]),
            *((name, signal_type(name)) for name in (*CONTRACT, *OURS)),
        ],
        namespace={"__doc__": "A cluster's sums. One that went while it was looked at has no engines."},
        module=__name__,
        frozen=True,
    )


class SignalSums:
    """Adds up the signals of engines or rows, some at a time. The one place where engines are summed."""

    def __init__(self) -> None:
        self._sums = dict.fromkeys(SIGNALS, 0)
        self._largest = dict.fromkeys(CONTRACT, 0)

    def add(self, loads: Sequence[object]) -> None:
        """Add engines or rows. Threads that wait for the interpreter get it between two slices."""
        for start in range(0, len(loads), SLICE):
            part = loads[start : start + SLICE]
            for name in SIGNALS:
                numbers = list(map(attrgetter(name), part))
                self._sums[name] += sum(numbers)
                if name in self._largest:
                    self._largest[name] = max(self._largest[name], *numbers)

    def named(self) -> dict[str, int]:
        """Return the sums by signal."""
        return self._sums

    def largest(self) -> dict[str, int]:
        """Return the largest number of one engine, for each signal of the contract."""
        return self._largest


def clusters_after(engines: Engines, name: str, most: int) -> Generator[None, None, list[str]]:
    """Return the next `most` clusters after a name, by name."""
    first: list[str] = []
    names = list(engines.clusters)
    for start in range(0, len(names), PART):
        if start:
            yield
        first = sorted([*first, *(each for each in names[start : start + PART] if each > name)])[:most]
    return first


def totals(
    lock: AbstractContextManager[object], engines: Engines, names: Iterable[str]
) -> Generator[None, None, list[ClusterTotals]]:
    """Return the sums of clusters. Each engine is of one moment, the whole is not."""
    rows: list[ClusterTotals] = []
    work = 0
    for name in names:
        with lock:
            cluster = engines.clusters.get(name)
            listed = [] if cluster is None else cluster.order.copy()  # 0.7 ms of 100,000
        sums = SignalSums()
        for start in range(0, len(listed) or 1, SLICE):
            part = listed[start : start + SLICE]
            sums.add(part)
            work += 16 + len(part)  # a cluster costs as much as 16 engines
            if work > SLICE:
                work = 0
                yield
        signals: dict[str, Any] = sums.named()
        rows.append(ClusterTotals(cluster=name, engines=len(listed), **signals))
    return rows
