# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Long names of engines, shortened in the middle so that what differs stays. Pure. `short_name.js` does the same."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile

SHORT = 24
"""Names up to this length are never split: an IPv4 address with port and rank fits."""

LEAST_END = 8
MOST_END = 22


def common_start(names: Sequence[str]) -> int:
    """Return how many characters all long names begin with, back to the last ":" or "."."""
    long = [name for name in names if len(name) > SHORT]
    if len(long) < 2:
        return 0
    # What the first and the last in order share, all share.
    pairs = takewhile(lambda pair: pair[0] == pair[1], zip(min(long), max(long), strict=False))
    same = "".join(character for character, _ in pairs)
    return max(same.rfind(":"), same.rfind(".")) + 1


def split(name: str, common: int) -> tuple[str, str]:
    """Return a name's beginning, which may be cut, and its end, which stays; the end is empty for a short name.

    `common` is the `common_start` of all names that are shown.
    """
    if len(name) <= SHORT:
        return name, ""
    at = len(name) - min(MOST_END, max(LEAST_END, len(name) - common))
    return name[:at], name[at:]
