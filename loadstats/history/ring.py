# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The latest rows of numbers, one for each step of time, in one array. Pure; owned by its series.

A number that is unknown is NaN. Numbers have 24 bits: they are exact up to 16,777,216, and then to seven digits.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from math import nan


class Ring:
    """Rows by step.

    `width`: numbers in a row.
    `slots`: how many steps are kept.
    `latest`: the latest step that was put; None before the first.
    """

    __slots__ = ("_values", "latest", "slots", "width")

    def __init__(self, width: int, slots: int) -> None:
        self.width = width
        self.slots = slots
        self.latest: int | None = None
        self._values = array("f", [nan]) * (width * slots)

    def put(self, step: int, row: array[float]) -> None:
        """Keep a step's row. Steps that were left out are gaps. A step that is older than the ring is not kept."""
        latest = self.latest
        if latest is None or step > latest:
            missed = 0 if latest is None else min(step - latest - 1, self.slots)
            for each in range(step - missed, step):
                self._write(each, self._gap())
            self.latest = step
        elif step <= latest - self.slots:
            return
        self._write(step, row)

    def row(self, step: int) -> array[float]:
        """Return a step's row; a gap if it is not kept."""
        latest = self.latest
        if latest is None or not latest - self.slots < step <= latest:
            return self._gap()
        start = step % self.slots * self.width
        return self._values[start : start + self.width]

    def is_gap(self, step: int) -> bool:
        """Return whether nothing is known of a step."""
        return is_gap(self.row(step))

    def rows(self, last: int, count: int) -> array[float]:
        """Return `count` rows up to a step, the oldest first."""
        latest, first = self.latest, last - count + 1
        if latest is None or last <= latest - self.slots or first > latest:
            return self._gap() * count
        oldest, newest = max(first, latest - self.slots + 1), min(last, latest)
        width, start, end = self.width, oldest % self.slots, newest % self.slots + 1
        if start < end:
            kept = self._values[start * width : end * width]
        else:
            kept = self._values[start * width :] + self._values[: end * width]
        return self._gap() * (oldest - first) + kept + self._gap() * (last - newest)

    def fill(self, last: int, rows: array[float]) -> None:
        """Take a copy's rows, which end at a step, where this ring has gaps."""
        width = self.width
        count = len(rows) // width
        if self.latest is None and count and not is_gap(rows[-width:]):  # as in a node that starts: at once
            room = min(count, self.slots)
            start = (last - room + 1) % self.slots
            ordered = self._gap() * (self.slots - room) + rows[(count - room) * width :]
            turn = (self.slots - room - start) % self.slots * width
            self._values = ordered[turn:] + ordered[:turn]
            self.latest = last
            return
        for at in range(count):
            step = last - count + 1 + at
            row = rows[at * width : (at + 1) * width]
            if not is_gap(row) and self.is_gap(step):
                self.put(step, row)

    def _write(self, step: int, row: array[float]) -> None:
        start = step % self.slots * self.width
        self._values[start : start + self.width] = row

    def _gap(self) -> array[float]:
        return array("f", [nan]) * self.width


def is_gap(row: Sequence[float]) -> bool:
    """Return whether a row is a gap: its first number is unknown."""
    return row[0] != row[0]
