# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""A benchmark's results as they are shown: text, tables and bars. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from benchmarks.spread import Spread


class Reach(NamedTuple):
    """A number and its aim: at most `limit`. Missing it is shown and ends nothing."""

    value: float
    limit: float

    @property
    def met(self) -> bool:
        return self.value <= self.limit

    def show(self, unit: str = "") -> str:
        """As `≤ 2.5: met`."""
        return f"≤ {self.limit:g}{unit}: {'met' if self.met else '**missed**'}"


class Bar(NamedTuple):
    """One bar of the plot. `reach` is drawn as a mark."""

    label: str
    value: Spread
    reach: float | None = None


class Curve(NamedTuple):
    """One line of a plot over a logarithmic axis; its values are shares of one."""

    label: str
    places: Sequence[float]
    values: Sequence[float]


@dataclass
class Section:
    """One benchmark's part of the results. `blocks` are paragraphs, tables and lists in Markdown."""

    name: str
    title: str
    blocks: list[str] = field(default_factory=list)
    bars: list[Bar] = field(default_factory=list)
    bars_title: str = ""
    curves: list[Curve] = field(default_factory=list)
    curves_title: tuple[str, str] = ("", "")

    def markdown(self, measured: str) -> str:
        """The whole section; `measured` says when, how and on what."""
        return "\n\n".join([f"## {self.title}", *self.blocks, f"*{measured}*"])


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table: the first column to the left, numbers to the right."""
    marks = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join(
        f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in (head, marks, *rows)
    )
