# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The charts of a cluster as the server draws them: the first picture of a page, and the only one without JavaScript.

Pure: history in, paths out. `chart.js` draws the same lines once the page is live.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import floor, isnan, log10
from typing import Final

from msgspec import Struct

from loadstats.history import LoadHistory

LEAST_TOP = 5
STEPS: Final = (1, 1.5, 2, 3, 4, 5, 6, 8, 10)


class ChartRange(Struct, frozen=True):
    """How far back charts look.

    `name`: in the query string.
    `words`: on pages.
    `seconds`: how far.
    """

    name: str
    words: str
    seconds: int


RANGES: Final = (ChartRange("5m", "5 min", 300), ChartRange("15m", "15 min", 900), ChartRange("1h", "1 h", 3600))
USUAL: Final = RANGES[1]


class ChartLine(Struct, frozen=True):
    """A line of a chart.

    `name`: what it shows.
    `colour`: its class.
    `value`: the latest number, as text.
    `path`: an SVG path in a box of 100 by 100.
    """

    name: str
    colour: str
    value: str
    path: str


class ServerChart(Struct, frozen=True):
    """A chart.

    `key`: what its elements' ids begin with.
    `name`: its heading.
    `top`: the number at its upper edge, as text.
    """

    key: str
    name: str
    top: str
    lines: list[ChartLine]


def range_of(name: str | None) -> ChartRange:
    """Return the range of a name; the usual one if there is none of that name."""
    return next((each for each in RANGES if each.name == name), USUAL)


def cluster_charts(history: LoadHistory, span: ChartRange) -> list[ServerChart]:
    """Return the charts of a cluster, or of all clusters together."""
    series = history.series
    means = [
        None if requests is None or engines is None else requests / engines if engines else 0.0
        for requests, engines in zip(series["queued_req_num"], series["engines"], strict=True)
    ]
    charts: tuple[tuple[str, str, Mapping[str, tuple[str, Sequence[float | None]]]], ...] = (
        (
            "total",
            "In flight",
            {"total": ("accent", series["queued_req_num"]), "in prefill": ("warn", series["prefill_req_num"])},
        ),
        (
            "spread",
            "By engine",
            {
                "max": ("warn", series["max_queued_req_num"]),
                "mean": ("accent", means),
                "min": ("dim", series["min_queued_req_num"]),
            },
        ),
        ("rate", "Rate", {"rate": ("accent", series["starts_per_second"])}),
    )
    count = span.seconds // history.step_seconds
    found = []
    for key, name, lines in charts:
        cut = {words: (colour, _known(numbers[-count:])) for words, (colour, numbers) in lines.items()}
        top = round_up(max((each for _, numbers in cut.values() for each in numbers if each is not None), default=0))
        drawn = [
            ChartLine(words, colour, _text(numbers), outline(numbers, top, count))
            for words, (colour, numbers) in cut.items()
        ]
        found.append(ServerChart(key, name, f"{top:,g}", drawn))
    return found


def outline(numbers: Sequence[float | None], top: float, count: int) -> str:
    """Return numbers as a path: `count` of them fill the box, the last is at its right edge, and gaps stay gaps."""
    width = 100 / max(1, count - 1)
    path = ""
    pen_down = False
    for at, number in enumerate(numbers):
        if number is not None:
            x, y = 100 - (len(numbers) - 1 - at) * width, 100 - 100 * number / top
            path += f"{'L' if pen_down else 'M'}{x:.1f} {y:.1f}"
            if not pen_down and (at + 1 == len(numbers) or numbers[at + 1] is None):
                path += "h.1"  # alone
        pen_down = number is not None
    return path


def round_up(value: float) -> float:
    """Return the round number that a scale ends at."""
    wanted = max(value, LEAST_TOP)
    power: float = 10 ** floor(log10(wanted))
    return next((step * power for step in STEPS if step * power >= wanted), 10 * power)


def _known(numbers: Sequence[float | None]) -> list[float | None]:
    """Return the numbers with None for NaN."""
    return [None if each is None or isnan(each) else each for each in numbers]


def _text(numbers: Sequence[float | None]) -> str:
    last = numbers[-1] if numbers else None
    return "–" if last is None else f"{last:,.0f}" if last == int(last) else f"{last:,.1f}"
