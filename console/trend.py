# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""A cluster's last minutes as the small picture in its row of the overview. Pure: numbers in, paths out.

`spark.js` draws the same picture once the page is live, and goes on from the same numbers.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

COLUMN = "queued_req_num"
STEPS = 30  # 5 minutes
WIDE, HIGH = 120, 32
EDGE = 2  # above and below the line


class Trend(Struct, frozen=True):
    """Requests over the last minutes.

    `line`: an SVG path in a box of `WIDE` by `HIGH`; empty if nothing is known.
    `area`: what is below it.
    `numbers`: the same for the script, the oldest first, with nothing for what is unknown.
    """

    line: str
    area: str
    numbers: str


def trend_of(numbers: Sequence[float | None]) -> Trend:
    """Return the picture of numbers, the oldest first. The last one is at the right edge; gaps are bridged."""
    known = [(at, number) for at, number in enumerate(numbers) if number is not None]
    text = ",".join("" if number is None else f"{number:g}" for number in numbers)
    if len(known) < 2:
        return Trend("", "", text if known else "")
    width = WIDE / max(1, len(numbers) - 1)
    top = max(1.0, *(number for _, number in known))
    points = [f"{at * width:.1f} {HIGH - EDGE - number / top * (HIGH - 2 * EDGE):.1f}" for at, number in known]
    line = "M" + "L".join(points)
    return Trend(line, f"{line}V{HIGH}H{known[0][0] * width:.1f}Z", text)
