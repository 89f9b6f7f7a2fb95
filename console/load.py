# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""A cluster's load as people want to see it: sums, the busiest engine first. Pure: rows in, words out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from console.short_name import split
from console.signal_column import SignalCell, cells
from loadstats.ledger import SIGNALS, Row, SignalSums


class ClusterSummary(Struct, frozen=True):
    """A cluster's sums.

    `name`: the cluster's name.
    `engines`: how many engines it has.
    `signals`: the sums by signal.
    `largest`: the largest number of one engine, for each signal of the contract.
    `hottest`: the engine with most requests; empty if all are idle.
    `stale`: how many engines are stale.
    """

    name: str
    engines: int
    signals: Mapping[str, int]
    largest: Mapping[str, int]
    hottest: str
    stale: int

    @property
    def cells(self) -> list[SignalCell]:
        """The sums as pages show them."""
        return cells(self.signals)

    @property
    def hottest_start(self) -> str:
        """The part of the busiest engine's name that may be cut."""
        return split(self.hottest, len(self.hottest))[0]

    @property
    def hottest_end(self) -> str:
        """The part of its name that stays."""
        return split(self.hottest, len(self.hottest))[1]

    @property
    def imbalance(self) -> float | None:
        """The busiest engine's requests over the mean: 1 is even. None where all are idle."""
        requests = self.signals["queued_req_num"]
        return self.largest["queued_req_num"] * self.engines / requests if requests else None


class EngineLine(Struct, frozen=True):
    """An engine in its cluster's table.

    `name`: the engine's name.
    `cells`: its numbers.
    `age`: how long ago its row changed.
    `mark`: orphaned, stale or idle, the most pressing; empty for none of them.
    `name_start`, `name_end`: the name in two parts, of which the first may be cut; see `split`.
    """

    name: str
    cells: list[SignalCell]
    age: str
    mark: str
    name_start: str
    name_end: str


def summarize(name: str, rows: Sequence[Row], wall_ns: int, stale_seconds: float) -> ClusterSummary:
    """Add up a cluster's rows, at a wall-clock time. See `is_stale` for `stale_seconds`."""
    sums = SignalSums()
    sums.add(rows)
    busiest = max(rows, key=_load, default=None)
    hottest = busiest.engine if busiest is not None and busiest.queued_req_num else ""
    stale = sum(is_stale(row, wall_ns, stale_seconds) for row in rows)
    return ClusterSummary(name, len(rows), sums.named(), sums.largest(), hottest, stale)


def busiest_first(rows: Sequence[Row]) -> list[Row]:
    """By requests, then by prompt length. Equals keep their order, so that a page does not flicker."""
    return sorted(rows, key=_load, reverse=True)


def line(row: Row, summary: ClusterSummary, wall_ns: int, stale_seconds: float, common: int = 0) -> EngineLine:
    """Return an engine's line, at a wall-clock time. See `is_stale` for `stale_seconds`, and `split` for `common`."""
    numbers = {name: getattr(row, name) for name in SIGNALS}
    mark = _mark(row, stale=is_stale(row, wall_ns, stale_seconds))
    seconds = (wall_ns - row.updated_time) / 1e9
    return EngineLine(row.engine, cells(numbers, summary.largest), age(seconds), mark, *split(row.engine, common))


def is_stale(row: Row, wall_ns: int, stale_seconds: float) -> bool:
    """Return whether an engine holds requests and its row has not changed for so long."""
    return row.queued_req_num > 0 and wall_ns - row.updated_time >= stale_seconds * 1e9


def age(seconds: float) -> str:
    """How long ago, in the unit that fits."""
    if seconds < 1:
        return "now"
    for unit, size, most in (("s", 1, 60), ("min", 60, 60), ("h", 3600, 24)):
        if seconds < size * most:
            return f"{seconds // size:.0f} {unit}"
    return f"{seconds // 86400:.0f} d"


def span(seconds: float) -> str:
    """A length of time in its two largest units."""
    whole = max(0, round(seconds))
    for unit, size, lesser, least in (("h", 3600, "min", 60), ("min", 60, "s", 1)):
        if whole >= size:
            rest = whole % size // least
            return f"{whole // size} {unit} {rest} {lesser}" if rest else f"{whole // size} {unit}"
    return f"{whole} s"


def _load(row: Row) -> int:
    return (row.queued_req_num << 64) + row.prompt_length


def _mark(row: Row, *, stale: bool) -> str:
    if row.orphaned_req_num:
        return "orphaned"
    if not row.queued_req_num:
        return "idle"
    return "stale" if stale else ""
