# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The result of a replay: the table, the verdict and the exit code. Prints to a console that the caller passes in."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from rich.console import Console
from rich.table import Table

from .checkpoint import Checkpoints
from .measures import Measures, ReplayCall, percentiles

_SHARES = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p99.9": 0.999, "max": 1.0}
_SHOWN_DIFFERENCES = 10
# A client this late at p99 measures itself rather than the node.
_LATE_SECONDS = 0.1
_BLOCKS = "▁▂▃▄▅▆▇█"


@dataclass(frozen=True)
class ReplayReport:
    """The result of a replay of `planned` requests. `wall_seconds` is the time from the first to the last answer."""

    measures: Measures
    checkpoints: Checkpoints
    planned: int
    wall_seconds: float
    interrupted: bool = False
    allow_errors: bool = False

    @property
    def verdict(self) -> str:
        """Return one line: requests, errors, differences, and nodes missing at the end."""
        begun = f"{self.measures.begun:,}"
        if self.interrupted:
            begun = f"interrupted: {begun} of {self.planned:,}"
        errors = self.measures.errors.total()
        missing = self.checkpoints.missing
        end = f", not there at the end: {', '.join(missing)}" if missing else ""
        return f"{begun} requests, {errors:,} errors, {self.checkpoints.differences:,} differences{end}"

    @property
    def clean(self) -> bool:
        """Whether no number differed, every node answered at the end, and no error happened that is not allowed."""
        errors = 0 if self.allow_errors else self.measures.errors.total()
        return not (errors or self.checkpoints.differences or self.checkpoints.missing)

    @property
    def exit_code(self) -> int:
        """The exit code: 130 after Ctrl-C, as in shells; else 0 if clean, 1 if not."""
        if self.interrupted:
            return 130
        return 0 if self.clean else 1

    def print(self, console: Console) -> None:
        """Print the whole report. The verdict is its last line."""
        console.print(self._operations(), self._facts(), sep="\n")
        if len(self.checkpoints.witnesses) > 1:
            console.print(self._targets())
        for line in self._troubles():
            console.print(line, markup=False, highlight=False, soft_wrap=True)
        for (operation, reason), count in self.measures.errors.most_common():
            console.print(f"{operation}: {count:,} × {reason}", style="red", markup=False, highlight=False)
        first = self.checkpoints.first_differences[:_SHOWN_DIFFERENCES]
        for found in first:
            each = found.difference
            node = f"{found.target}, cluster {found.cluster}, " if len(self.checkpoints.witnesses) > 1 else ""
            place = f"checkpoint {found.checkpoint}, {node}engine {each.engine}"
            text = f"{place}: {each.member} is {each.shown:,}, expected {each.expected}"
            console.print(text, style="red", markup=False, highlight=False, soft_wrap=True)
        if more := self.checkpoints.differences - len(first):
            console.print(f"… and {more:,} more differences", style="red", highlight=False)
        style = "bold green" if self.clean else "bold red"
        console.print(self.verdict, style=style, highlight=False, soft_wrap=True)

    def _operations(self) -> Table:
        table = Table(title="Calls (latencies in ms)", title_justify="left")
        table.add_column("operation")
        for name in ("calls", "errors", *_SHARES):
            table.add_column(name, justify="right")
        for operation in ReplayCall:
            seconds = self.measures.seconds[operation]
            table.add_row(
                operation,
                f"{len(seconds):,}",
                f"{self.measures.errors_of(operation):,}",
                *map(_milliseconds, percentiles(seconds, list(_SHARES.values()))),
            )
        return table

    def _targets(self) -> Table:
        table = Table(title="Nodes (agreed: ms after the pause, at most)", title_justify="left")
        table.add_column("node")
        for name in ("calls", "failed", "failed over", "breaker opened", "checkpoints", "agreed"):
            table.add_column(name, justify="right")
        for target, witness in self.checkpoints.witnesses.items():
            own = self.measures.targets[target]
            table.add_row(
                target,
                f"{own.calls:,}",
                f"{own.failures.total():,}",
                f"{own.failed_over:,}",
                f"{own.openings:,}",
                f"{witness.passed:,} of {self.checkpoints.taken:,}",
                _milliseconds(max(witness.settled, default=math.nan)),
            )
        return table

    def _troubles(self) -> Iterator[str]:
        """Print what single nodes caused: failed calls and checkpoints without them."""
        for target, witness in self.checkpoints.witnesses.items():
            if len(self.checkpoints.witnesses) > 1:
                for (operation, reason), count in self.measures.targets[target].failures.most_common():
                    yield f"{target}: {operation}: {count:,} × {reason}"
            for reason, count in Counter(witness.skipped.values()).most_common():
                numbers = [number for number, why in witness.skipped.items() if why == reason]
                span = f"{numbers[0]}" if count == 1 else f"{numbers[0]} to {numbers[-1]}"
                yield f"{target}: left out of {count:,} checkpoints ({span}): {reason}"

    def _facts(self) -> Table:
        measures, checkpoints = self.measures, self.checkpoints
        wall = self.wall_seconds or math.inf
        table = Table(title="Run", title_justify="left", show_header=False)
        table.add_row(
            "requests", f"{measures.begun:,} of {self.planned:,}, at most {measures.most_open:,} open at once"
        )
        rates = f"{measures.begun / wall:,.0f} requests/s, {measures.calls / wall:,.0f} calls/s"
        table.add_row("wall time", f"{self.wall_seconds:,.1f} s: {rates}")
        table.add_row("late starts", _lateness(measures.lag_seconds))
        table.add_row("checkpoints", f"{checkpoints.passed:,} of {checkpoints.taken:,} passed")
        table.add_row("imbalance", _imbalance(checkpoints.imbalance))
        return table


def _milliseconds(seconds: float) -> str:
    return "–" if math.isnan(seconds) else f"{seconds * 1000:,.2f}"


def _lateness(lag: Sequence[float]) -> str:
    if not lag:
        return "none: played flat out"
    p99, most = percentiles(lag, (0.99, 1.0))
    text = f"p99 {_milliseconds(p99)} ms, max {_milliseconds(most)} ms"
    return f"{text}: the client is too slow for this speed" if p99 > _LATE_SECONDS else text


def _imbalance(samples: Sequence[float]) -> str:
    if not samples:
        return "never more requests than engines at a checkpoint"
    return f"mean {sum(samples) / len(samples):.2f}, max {max(samples):.2f}  {sparkline(samples)}"


def sparkline(values: Sequence[float], width: int = 30) -> str:
    """At most `width` blocks; each stands for the highest of the values it covers, from 1 up to the highest of all."""
    columns = min(width, len(values))
    cuts = [index * len(values) // columns for index in range(columns + 1)]
    peaks = [max(values[start:end]) for start, end in pairwise(cuts)]
    top = max(peaks) - 1 or 1.0
    return "".join(_BLOCKS[round((peak - 1) / top * (len(_BLOCKS) - 1))] for peak in peaks)
