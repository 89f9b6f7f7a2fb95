# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""An engine's last hour as a small picture, where the node keeps a history. Django's threads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from console.calls import ask
from edge.errors import ContractError

HISTORY = "/v1/load/history"
COLUMN = "queued_req_num"
HEIGHT = 100
SHORT_SECONDS = 900


class Past(Struct, frozen=True):
    """What `GET /v1/load/history` answers, as far as it is drawn here."""

    step_seconds: int
    series: Mapping[str, Sequence[float | None]]


class Picture(Struct, frozen=True):
    """Requests in flight over time.

    `path`: its SVG path in a box of `width` by `HEIGHT`.
    `width`: how many numbers there are.
    `minutes`: how much time that is.
    `most`: the largest number.
    """

    path: str
    width: int
    minutes: int
    most: float


def picture_of(cluster: str, engine: str) -> Picture | None:
    """Return an engine's last hour, or 15 minutes if no more is known of it; None if this node keeps none of it."""
    try:
        past = ask(HISTORY, Past, cluster=cluster, engine=engine, range="1h")
        if sum(number is not None for number in past.series.get(COLUMN, ())) * past.step_seconds <= SHORT_SECONDS:
            past = ask(HISTORY, Past, cluster=cluster, engine=engine, range="15m")
    except ContractError:
        return None
    return draw(past.series.get(COLUMN, ()), past.step_seconds)


def draw(numbers: Sequence[float | None], step_seconds: int) -> Picture | None:
    """Return a picture of numbers, the oldest first; None if all are unknown. A gap in time is a gap in the picture."""
    known = [number for number in numbers if number is not None]
    if not known:
        return None
    most = max(known)
    path = ""
    for at, number in enumerate(numbers):
        if number is None:
            continue
        y = HEIGHT - (HEIGHT * number / most if most else 0)
        begins = at == 0 or numbers[at - 1] is None
        path += f"M{at} {y:g}h1" if begins else f"L{at} {y:g}h1"
    return Picture(path, len(numbers), round(len(numbers) * step_seconds / 60), most)
