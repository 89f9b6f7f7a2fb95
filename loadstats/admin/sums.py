# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Engines and clusters as the admin lists them: read off the ledger in slices, the busiest first, page by page.

Runs on Django's threads.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from heapq import nlargest
from time import sleep
from typing import Generic, Protocol, TypeVar

from msgspec import Struct

from loadstats.ledger import SIGNALS, Ledger, Row, SignalSums
from loadstats.ledger.signals import numbers

PER_PAGE = 100
MOST_PAGES = 50
"""Whoever wants more narrows the filter: what is left would be sorted as a whole, and the node held for it."""


class Sortable(Protocol):
    """What is sorted."""

    @property
    def requests(self) -> int: ...
    @property
    def prompt_length(self) -> int: ...
    @property
    def numbers(self) -> Sequence[int]: ...


SortableT = TypeVar("SortableT", bound=Sortable)

HEADINGS = tuple(signal.heading for signal in SIGNALS.values())


class ClusterSums(Struct, frozen=True, gc=False):
    """A cluster.

    `name`: its name.
    `engines`: how many engines it has.
    `sums`: the sum of each signal.
    `most`: the busiest engine's requests.
    """

    name: str
    engines: int
    sums: dict[str, int]
    most: int

    @property
    def requests(self) -> int:
        return self.sums["queued_req_num"]

    @property
    def prompt_length(self) -> int:
        return self.sums["prompt_length"]

    @property
    def numbers(self) -> Sequence[int]:
        """The sums under `HEADINGS`."""
        return tuple(self.sums[name] for name in SIGNALS)

    @property
    def imbalance(self) -> float | None:
        """The busiest engine's requests over the mean: 1 is even. None where all are idle."""
        return self.most * self.engines / self.requests if self.requests else None


class ListedEngine(Struct, frozen=True, gc=False):
    """An engine's row, and whose it is."""

    cluster: str
    row: Row

    @property
    def ip(self) -> str:
        """Its name as text."""
        return self.row.engine

    @property
    def requests(self) -> int:
        return self.row.queued_req_num

    @property
    def prompt_length(self) -> int:
        return self.row.prompt_length

    @property
    def numbers(self) -> Sequence[int]:
        """Its signals under `HEADINGS`."""
        return numbers(self.row)


class Listing(Struct, Generic[SortableT], frozen=True):
    """A page of a list, the busiest first. `number` counts from 1, `pages` are those that can be shown."""

    lines: Sequence[SortableT]
    total: int
    number: int
    pages: int

    @property
    def first(self) -> int:
        """The place of the first line, from 1."""
        return (self.number - 1) * PER_PAGE + 1

    @property
    def last(self) -> int:
        """The place of the last line."""
        return self.first + len(self.lines) - 1


def by_load(load: Sortable) -> tuple[int, int]:
    """Sorts by requests, then by prompt length."""
    return load.requests, load.prompt_length


def cluster_sums(ledger: Ledger, part_of_name: str = "") -> Iterator[ClusterSums]:
    """Every cluster with this in its name."""
    for name in ledger.clusters():
        if part_of_name in name:
            rows = ledger.rows(name)
            sums = SignalSums()
            sums.add(rows)
            yield ClusterSums(name, len(rows), sums.named(), sums.largest()["queued_req_num"])
            sleep(0)  # hands the interpreter to whoever waits for it


def listed_engines(
    ledger: Ledger, cluster: str = "", part_of_ip: str = "", *, busy: bool = False
) -> Iterator[ListedEngine]:
    """The engines of a cluster, or of all; only those with this in their address, only those with requests (`busy`)."""
    for name in [cluster] if cluster else ledger.clusters():
        for row in ledger.rows(name):
            if part_of_ip in row.engine and (row.queued_req_num or not busy):
                yield ListedEngine(name, row)
        sleep(0)


def listing(lines: Iterable[SortableT], page: str | None) -> Listing[SortableT]:
    """A page by its number as it stands in a query string; the nearest there is, where it is none."""
    found = list(lines)
    pages = min(MOST_PAGES, max(1, -(-len(found) // PER_PAGE)))
    number = min(pages, max(1, int(page))) if page and page.isdecimal() and len(page) < 9 else 1
    top = nlargest(number * PER_PAGE, found, key=by_load)
    return Listing(top[(number - 1) * PER_PAGE :], len(found), number, pages)
