# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The tables of the screen: their columns, and which rows they show in what order. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from metadata_center_client.rows import Gateway, name_of

STEPS = "▁▂▃▄▅▆▇█"
BAR = "█"
BAR_WIDTH = 20
BAR_FROM = 90  # the narrowest table with bars
NAME_AT_LEAST = 12
NUMBERS = re.compile(r"(\d+)")


class Column(NamedTuple):
    """A column.

    `title`: above it.
    `width`: in characters; 0: what the others leave.
    `value`: what it sorts by.
    `text`: what it shows.
    `screen`: the narrowest table that it is shown in.
    """

    title: str
    width: int
    value: Callable[[Any], Any]
    text: Callable[[Any], str]
    screen: int = 0


class Table(NamedTuple):
    """A table.

    `name`: its title.
    `columns`: the first one names the row.
    `order`: which column it is sorted by at first.
    `empty`: what it says instead of rows.
    `bar`: the member that wide tables show as bars as well; empty: none.
    """

    name: str
    columns: tuple[Column, ...]
    order: int
    empty: str
    bar: str = ""


class Sorting(NamedTuple):
    """How a table is sorted. Numbers begin with the largest, words with the first; `reverse` turns that round."""

    column: int
    reverse: bool = False


def short(number: float) -> str:
    """Return a number in five characters at most, such as 950, 12.3k or 4.56M."""
    for limit, divisor, unit in ((10_000, 1, ""), (1e6, 1e3, "k"), (1e9, 1e6, "M"), (1e12, 1e9, "G")):
        if abs(number) < limit:
            return f"{number:.0f}" if not unit else f"{number / divisor:.4g}"[:4].rstrip(".") + unit
    return f"{number / 1e12:.3g}T"


def age(seconds: float | None) -> str:
    """Return a time in four characters or so, such as 42s, 5m or 3h; a dash for None."""
    if seconds is None:
        return "-"
    for limit, divisor, unit in ((120, 1, "s"), (7_200, 60, "m"), (172_800, 3_600, "h")):
        if seconds < limit:
            return f"{seconds / divisor:.0f}{unit}"
    return f"{seconds / 86_400:.0f}d"


def plain(text: str) -> str:
    """Return text of others in one line without control characters: a terminal would obey them."""
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())


def bar(value: float, most: float) -> str:
    """Return a bar: as much of its room as `value` is of `most`. Something is never shown as nothing."""
    if value <= 0 or most <= 0:
        return ""
    return BAR * max(1, round((BAR_WIDTH - 1) * value / most))


def trend(values: Sequence[float | None], width: int) -> str:
    """Return the last `width` numbers as steps; a dot where one is unknown."""
    last = list(values[-width:])
    most = max((value for value in last if value is not None), default=0.0)
    return "".join(
        "·" if value is None else STEPS[min(7, int(8 * value / most))] if most else STEPS[0] for value in last
    )


def gateway_state(row: Gateway) -> str:
    """Return how a gateway is, in a word."""
    if row.kind != "owner":
        return "unnamed"
    if row.heartbeat_seconds is None:
        return "no beats"
    return "silent" if row.lapsed else "alive"


def number(title: str, width: int, member: str, screen: int = 0) -> Column:
    """Return the column of a number."""
    return Column(title, width, lambda row: getattr(row, member), lambda row: short(getattr(row, member)), screen)


def natural(text: str) -> list[str | int]:
    """Return what to sort a text by: its numbers count as numbers, so that 10.0.0.9 comes before 10.0.0.10."""
    return [int(part) if part.isdecimal() else part for part in NUMBERS.split(text)]


def word(title: str, width: int, of: Callable[[Any], str], screen: int = 0) -> Column:
    """Return the column of a word."""
    return Column(title, width, of, of, screen)


def seconds(title: str, width: int, member: str, screen: int = 0) -> Column:
    """Return the column of a time."""
    return Column(
        title,
        width,
        lambda row: -1.0 if getattr(row, member) is None else getattr(row, member),
        lambda row: age(getattr(row, member)),
        screen,
    )


LOAD = (
    number("in flight", 11, "queued_req_num"),
    number("prefill", 9, "prefill_req_num"),
    number("prompt", 8, "prompt_length"),
    number("tokens", 8, "token_num", 60),
    number("orphans", 9, "orphaned_req_num", 70),
)
CLUSTERS = Table(
    "Clusters",
    (word("cluster", 0, lambda row: row.cluster), number("engines", 9, "engines"), *LOAD),
    2,
    "No cluster is known yet: nothing was reported.",
    "queued_req_num",
)
ENGINES = Table(
    "Engines", (word("engine", 0, name_of), *LOAD), 1, "No engine of this cluster is known.", "queued_req_num"
)
GATEWAYS = Table(
    "Gateways",
    (
        word("gateway", 0, lambda row: row.owner),
        word("state", 9, gateway_state),
        number("in flight", 11, "requests"),
        seconds("oldest", 8, "oldest_seconds", 46),
        number("orphans", 9, "orphans", 60),
        seconds("beat", 6, "heartbeat_seconds", 70),
        number("timed out", 11, "ended_by_age", 76),
    ),
    2,
    "No gateway has requests in flight or sends heartbeats.",
)
PEERS = Table(
    "Peers",
    (
        word("peer", 0, lambda row: row.peer),
        word("state", 11, lambda row: row.state),
        seconds("for", 6, "since_seconds", 54),
        number("lag", 7, "lag_events", 54),
        seconds("behind", 8, "lag_seconds"),
        word("last error", 30, lambda row: row.last_error, 76),
    ),
    0,
    "The node has no peers.",
)


def shown(table: Table, width: int) -> list[int]:
    """Return which columns a table of this width shows."""
    return [place for place, column in enumerate(table.columns) if column.screen <= width]


def name_width(table: Table, width: int) -> int:
    """Return how wide the first column is."""
    others = sum(table.columns[place].width for place in shown(table, width))
    return max(NAME_AT_LEAST, width - others - (BAR_WIDTH if with_bars(table, width) else 0))


def with_bars(table: Table, width: int) -> bool:
    """Return whether a table of this width shows bars."""
    return bool(table.bar) and width >= BAR_FROM


def arranged(table: Table, rows: Sequence[Any], sorting: Sorting, words: str = "") -> list[Any]:
    """Return the rows whose name or words hold `words`, in any case, in order."""
    column, name = table.columns[sorting.column], table.columns[0]
    needle = words.casefold()
    texts = [each for each in table.columns if has_words(each)]
    found = [row for row in rows if not needle or any(needle in each.text(row).casefold() for each in texts)]
    found.sort(key=lambda row: natural(name.text(row)))
    if has_words(column):
        found.sort(key=lambda row: natural(column.text(row)), reverse=sorting.reverse)
    else:
        found.sort(key=column.value, reverse=not sorting.reverse)
    return found


def has_words(column: Column) -> bool:
    """Return whether a column shows words, not numbers."""
    return column.value is column.text
