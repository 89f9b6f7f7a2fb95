# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Latencies of an open-loop load as rows of a table. Pure."""

from __future__ import annotations

from benchmarks.openloop_client import OpenLoopRun
from benchmarks.section import Reach
from benchmarks.spread import Latencies, Spread

WINDOWS = 5
HEAD = ("load", "calls", "p50, ms", "p90, ms", "p99, ms", "p99.9, ms", "longest, ms", "sent late, p99.9, ms", "reach")
EXPLAINED = (
    "Latencies count from the time a call was to be sent. Behind each p99 are those of the run's fifths, lowest to "
    "highest. *Sent late* is the load generator's own share of the longest ones."
)
_MS = 1e-6  # from ns


def row(
    what: str, load: OpenLoopRun, *, p99_ms: float | None = None, longest_ms: float | None = None
) -> tuple[str, ...]:
    """One load, and what it should reach."""
    all_of = Latencies.of(load.latencies, _MS)
    parts = fifths(load)
    reaches = []
    if p99_ms is not None:
        reaches.append("p99 " + Reach(all_of.p99, p99_ms).show(" ms"))
    if longest_ms is not None:
        reaches.append("longest " + Reach(all_of.longest, longest_ms).show(" ms"))
    return (
        what,
        f"{all_of.count:,}",
        f"{all_of.p50:.3f}",
        f"{all_of.p90:.3f}",
        f"{all_of.p99:.3f} ({parts.low:.3f}–{parts.high:.3f})",
        f"{all_of.p999:.3f}",
        f"{all_of.longest:.2f}",
        f"{Latencies.of(load.sent_late, _MS).p999:.3f}",
        ", ".join(reaches),
    )


def fifths(load: OpenLoopRun) -> Spread:
    """The p99 in ms of each fifth of the run; of the whole where it is too short for that."""
    size = max(len(load.latencies) // WINDOWS, 1)
    starts = range(0, size * WINDOWS, size)
    parts = [load.latencies[start : start + size] for start in starts]
    return Spread.of([Latencies.of(part, _MS).p99 for part in parts if part])
