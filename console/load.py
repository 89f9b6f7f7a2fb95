# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""A cluster's load as people want to see it: sums, spread, the busiest engine first. Pure: rows in, words out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

BARS = 40


class Row(Protocol):
    """An engine's numbers, as the ledger gives them."""

    @property
    def engine(self) -> str: ...
    @property
    def queued_req_num(self) -> int: ...
    @property
    def prompt_length(self) -> int: ...
    @property
    def prefill_req_num(self) -> int: ...
    @property
    def token_num(self) -> int: ...
    @property
    def orphaned_req_num(self) -> int: ...
    @property
    def updated_time(self) -> int: ...


class Summary(Struct, frozen=True):
    """A cluster. `spread` is its engines' requests in percent of the busiest's, falling; at most `BARS` of them."""

    name: str
    engines: int
    requests: int
    prefill: int
    prompt_length: int
    tokens: int
    orphaned: int
    most_requests: int
    most_prompt_length: int
    spread: tuple[float, ...]

    @property
    def imbalance(self) -> float | None:
        """The busiest engine's requests over the mean: 1 is even. None where all are idle."""
        return self.most_requests * self.engines / self.requests if self.requests else None

    @property
    def outline(self) -> str:
        """The spread as an SVG path in a box of `BARS` by 100: a bar for each engine, or of a sample of them."""
        steps = "".join(f"V{100 - share:g}h1" for share in self.spread)
        return f"M0 100{steps}V100Z"


class Line(Struct, frozen=True):
    """An engine. The shares are percent of the cluster's largest.

    It is `stale` where it holds requests and nobody has said anything of them for long. `orphaned` of its requests have
    lost their gateway.
    """

    name: str
    requests: int
    requests_share: float
    prefill: int
    prompt_length: int
    prompt_share: float
    tokens: int
    orphaned: int
    age: str
    stale: bool


def summarize(name: str, rows: Sequence[Row]) -> Summary:
    """The sums over a cluster's rows, and how they spread."""
    requests = sorted((row.queued_req_num for row in rows), reverse=True)
    most = requests[0] if requests else 0
    bars = min(BARS, len(requests))
    return Summary(
        name,
        len(rows),
        sum(requests),
        sum(row.prefill_req_num for row in rows),
        sum(row.prompt_length for row in rows),
        sum(row.token_num for row in rows),
        sum(row.orphaned_req_num for row in rows),
        most,
        max((row.prompt_length for row in rows), default=0),
        tuple(_percent(requests[bar * len(requests) // bars], most) for bar in range(bars)),
    )


def busiest_first(rows: Sequence[Row]) -> list[Row]:
    """By requests, then by prompt length. Equals keep their order, so that a page does not flicker."""
    return sorted(rows, key=_load, reverse=True)


def line(row: Row, summary: Summary, wall_ns: int, stale_seconds: float) -> Line:
    """A row beside its cluster's, at a wall-clock time."""
    seconds = (wall_ns - row.updated_time) / 1e9
    return Line(
        row.engine,
        row.queued_req_num,
        _percent(row.queued_req_num, summary.most_requests),
        row.prefill_req_num,
        row.prompt_length,
        _percent(row.prompt_length, summary.most_prompt_length),
        row.token_num,
        row.orphaned_req_num,
        age(seconds),
        row.queued_req_num > 0 and seconds >= stale_seconds,
    )


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


def _percent(part: int, whole: int) -> float:
    return round(100.0 * part / whole, 1) if whole else 0.0
