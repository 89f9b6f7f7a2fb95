# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Bars with their spread and what they should reach, and curves, as pictures beside the results."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.section import Bar, Curve

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MET, MISSED, PLAIN = "#4c8c6b", "#c0504d", "#7f8fa6"


def color(bar: Bar) -> str:
    """Return green if the reach is met, red if it is missed, grey without a reach."""
    if bar.reach is None:
        return PLAIN
    return MET if bar.value.median <= bar.reach else MISSED


def _figure(height: float) -> Figure:
    """Return an empty picture that is `height` inches high."""
    from matplotlib.figure import Figure  # noqa: PLC0415 a second and a half, which only those who draw need

    return Figure(figsize=(8, height), layout="constrained")


def draw(bars: Sequence[Bar], title: str, file: Path) -> None:
    """Write the picture, the first bar on top."""
    figure = _figure(0.45 * len(bars) + 1.2)
    axes = figure.subplots()
    places = range(len(bars))
    medians = [bar.value.median for bar in bars]
    below = [bar.value.median - bar.value.low for bar in bars]
    above = [bar.value.high - bar.value.median for bar in bars]
    axes.barh(places, medians, 0.6, color=[color(bar) for bar in bars])
    axes.errorbar(medians, places, xerr=[below, above], fmt="none", ecolor="black", elinewidth=1, capsize=3)
    aimed = [(place, bar.reach) for place, bar in enumerate(bars) if bar.reach is not None]
    axes.vlines(
        [reach for _, reach in aimed],
        [place - 0.4 for place, _ in aimed],
        [place + 0.4 for place, _ in aimed],
        colors="black",
        linewidth=2,
        label="reach",
    )
    for place, bar in enumerate(bars):
        axes.annotate(
            f"{bar.value.median:.2f}", (0, place), (4, 0), textcoords="offset points", va="center", color="white"
        )
    axes.set_yticks(list(places), [bar.label for bar in bars])
    axes.invert_yaxis()
    axes.set_xlim(left=0)
    axes.set_xlabel(title)
    axes.spines[["top", "right"]].set_visible(False)
    if aimed:
        axes.legend(loc="lower right", frameon=False)
    figure.savefig(file, dpi=120, metadata={"Software": None})


def draw_curves(curves: Sequence[Curve], titles: tuple[str, str], file: Path) -> None:
    """Write the picture: places on a logarithmic axis, shares in percent."""
    figure = _figure(4)
    axes = figure.subplots()
    for curve, style in zip(curves, ("o-", "s--", ":"), strict=False):
        axes.plot(curve.places, [100 * value for value in curve.values], style, label=curve.label, markersize=4)
    axes.set_xscale("log")
    axes.set_ylim(bottom=0)
    axes.set_xlabel(titles[0])
    axes.set_ylabel(f"{titles[1]}, %")
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="lower right", frameon=False)
    figure.savefig(file, dpi=120, metadata={"Software": None})
