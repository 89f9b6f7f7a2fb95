# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""How pages show the signals: a column of a table and a tile for each. Pure.

The signals come from `loadstats.ledger.SIGNALS`, in its order. A signal without an entry in `LOOKS` is a plain number
under its own heading. The scripts read the same columns from the attribute `data-signals` of a page's table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec
from msgspec import Struct

from loadstats.ledger import SIGNALS

Style = Literal["count", "gauge", "some", "marked"]


class SignalLook(Struct, frozen=True, kw_only=True):
    """What a signal's place on pages has of its own. An empty text stands for the default.

    `key`: its name in `data-tile`, `data-cell` and `data-sort`; by default the signal's name.
    `heading`: of its columns; by default the signal's heading.
    `title`: the longer words behind a column's heading; empty for none.
    `tile`: the label of its tile; by default the heading in lower case.
    `tile_title`: the longer words behind the tile's label; empty for none.
    `style`: `count` a number, `gauge` a number with a bar, `some` a dash for 0, `marked` a dash for 0 and else a mark.
    `cluster_classes`: of its cells in the table of clusters.
    `engine_classes`: of its cells in the table of engines.
    """

    key: str = ""
    heading: str = ""
    title: str = ""
    tile: str = ""
    tile_title: str = ""
    style: Style = "count"
    cluster_classes: str = "number wide"
    engine_classes: str = "number wide"


LOOKS: dict[str, SignalLook] = {
    "queued_req_num": SignalLook(
        key="requests", tile="requests in flight", style="gauge", cluster_classes="number", engine_classes="gauge"
    ),
    "prefill_req_num": SignalLook(
        key="prefill", heading="Prefill", title="Requests before their first token", tile="in prefill"
    ),
    "prompt_length": SignalLook(
        key="prompt",
        heading="Prompt",
        title="Prompt length of the requests in prefill",
        tile="prompt in prefill",
        style="gauge",
        cluster_classes="number middle",
        engine_classes="gauge few",
    ),
    "token_num": SignalLook(
        key="tokens",
        title="Tokens held by requests in flight, where gateways report them",
        tile="tokens held",
        style="some",
    ),
    "orphaned_req_num": SignalLook(
        key="orphaned",
        title="Requests whose gateway has fallen silent",
        tile_title="Requests whose gateway has fallen silent",
        style="marked",
        cluster_classes="number middle",
    ),
}
"""The signals that look special."""


class SignalColumn(Struct, frozen=True):
    """One signal on pages.

    `member`: the signal's name, as rows have it.
    `key`, `heading`, `title`, `tile`, `tile_title`, `style`, `cluster_classes`, `engine_classes`: see `SignalLook`.
    """

    member: str
    key: str
    heading: str
    title: str
    tile: str
    tile_title: str
    style: Style
    cluster_classes: str
    engine_classes: str


class SignalCell(Struct, frozen=True):
    """A signal's number in a row or a tile.

    `column`: the signal.
    `number`: its value.
    `share`: the value in percent of the largest engine's; 0 where no gauge shows it.
    """

    column: SignalColumn
    number: int
    share: float = 0.0

    @property
    def alarming(self) -> bool:
        """Whether an operator should look after it."""
        return self.column.style == "marked" and self.number > 0

    @property
    def absent(self) -> bool:
        """Whether a table shows a dash."""
        return self.column.style in {"some", "marked"} and not self.number

    @property
    def absent_in_tile(self) -> bool:
        """Whether a tile shows a dash."""
        return self.column.style == "some" and not self.number


def columns() -> list[SignalColumn]:
    """Return the columns of all signals, in the order of pages."""
    found = []
    for name, signal in SIGNALS.items():
        look = LOOKS.get(name) or SignalLook(title=signal.description[:1].upper() + signal.description[1:])
        heading = look.heading or signal.heading
        found.append(
            SignalColumn(
                name,
                look.key or name,
                heading,
                look.title,
                look.tile or heading.lower(),
                look.tile_title,
                look.style,
                look.cluster_classes,
                look.engine_classes,
            )
        )
    return found


def cells(numbers: Mapping[str, int], largest: Mapping[str, int] | None = None) -> list[SignalCell]:
    """Return the cells of a row, given its numbers and the largest ones by signal."""
    most = largest or {}
    return [
        SignalCell(column, numbers[column.member], percent(numbers[column.member], most.get(column.member, 0)))
        for column in columns()
    ]


def for_scripts(shown: Sequence[SignalColumn]) -> str:
    """Return as JSON what the scripts need of the columns: key, member of a row, and style, in order."""
    listed = [{"key": each.key, "member": each.member, "style": each.style} for each in shown]
    return msgspec.json.encode(listed).decode()


def percent(part: int, whole: int) -> float:
    """Return a part in percent of a whole, to a tenth; 0 of nothing."""
    return round(100.0 * part / whole, 1) if whole else 0.0
