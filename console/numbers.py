# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Numbers as people read them. Pure. `numbers.js` writes the same text; one table of cases tests both."""

from __future__ import annotations

EXACT_BELOW = 100_000
"""A tile has room for the six characters of 99,999. It shows a larger number in short."""

UNITS = ((10**3, "K"), (10**6, "M"), (10**9, "B"), (10**12, "T"))


def count(value: int) -> str:
    """Return a whole number with its thousands set apart: 1234567 as "1,234,567"."""
    return f"{value:,}"


def brief(value: int) -> str:
    """Return a whole number in short, rounded to a tenth of its unit: 1234567 as "1.2M"."""
    if value < 1000:
        return str(value)
    for size, unit in UNITS:
        tenths = (value * 10 + size // 2) // size
        if tenths < 10_000 or unit == "T":
            whole, tenth = divmod(tenths, 10)
            return f"{whole:,}.{tenth}{unit}" if tenth else f"{whole:,}{unit}"
    raise AssertionError("the last unit takes every number")


def compact(value: int) -> str:
    """Return a number for a tile: exact where it fits, else in short."""
    return count(value) if value < EXACT_BELOW else brief(value)
