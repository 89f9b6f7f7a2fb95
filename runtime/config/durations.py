# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Go's durations: `500ms`, `1m30s`, `1.5h`, `0`. Pure; seconds in, seconds out.

The grammar is that of Go's `time.ParseDuration`: decimal numbers, each with a unit, after one another. Existing
deployments use it. A duration is a whole number of nanoseconds within 64 bits, about 292 years.
`parse_duration(format_duration(x)) == x` holds for every `x` that `parse_duration` can return.
"""

from __future__ import annotations

import re
from fractions import Fraction

NANOSECONDS = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,  # U+00B5, micro sign
    "μs": 1_000,  # U+03BC, Greek mu
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}
LONGEST_NANOSECONDS = 2**63 - 1
LONGEST_SECONDS = LONGEST_NANOSECONDS / NANOSECONDS["s"]

_TERM = re.compile(rf"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)({'|'.join(NANOSECONDS)})")
_DURATION = re.compile(rf"([-+]?)(0|(?:{_TERM.pattern})+)")


def parse_duration(text: str) -> float:
    """Return the seconds. Raises ValueError for what Go would refuse."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError(f"not a duration: {text!r}")
    # As in Go, each term is cut off below a nanosecond.
    total = sum(int(Fraction(number) * NANOSECONDS[unit]) for number, unit in _TERM.findall(match[2]))
    if total > LONGEST_NANOSECONDS:
        raise ValueError(f"a duration over 292 years: {text!r}")
    return (-total if match[1] == "-" else total) / NANOSECONDS["s"]


def format_duration(seconds: float) -> str:
    """Write seconds as Go does, to the nanosecond, without zero terms: `1m30s`, `500ms`, `5m` (in Go `5m0s`), `0s`."""
    nanoseconds = round(Fraction(seconds) * NANOSECONDS["s"])
    sign, rest = ("-", -nanoseconds) if nanoseconds < 0 else ("", nanoseconds)
    if rest == 0:
        return "0s"
    if rest < NANOSECONDS["s"]:
        unit = next(unit for unit in ("ms", "µs", "ns") if rest >= NANOSECONDS[unit])
        return sign + _decimal(rest, unit)
    hours, rest = divmod(rest, NANOSECONDS["h"])
    minutes, rest = divmod(rest, NANOSECONDS["m"])
    terms = (f"{hours}h" if hours else "", f"{minutes}m" if minutes else "", _decimal(rest, "s") if rest else "")
    return sign + "".join(terms)


def _decimal(nanoseconds: int, unit: str) -> str:
    whole, part = divmod(nanoseconds, NANOSECONDS[unit])
    digits = len(str(NANOSECONDS[unit])) - 1
    return f"{whole}.{part:0{digits}}".rstrip("0").rstrip(".") + unit if part else f"{whole}{unit}"
