# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""A moment that a later process can tell the age of, also after the machine was started anew. Immutable.

Within one start of the machine the clock that counts while it sleeps decides (`CLOCK_BOOTTIME`). The kernel gives each
start an id. Between two starts there is only the wall clock, which may have been set meanwhile: no age is below 0.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

from msgspec import Struct

BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")


class Moment(Struct, frozen=True, array_like=True):
    """A moment.

    `boot_id`: which start of the machine it was in; empty where the system does not say.
    `boot_ns`: nanoseconds since that start, the machine's sleep included.
    `wall_ns`: wall-clock time in nanoseconds.
    """

    boot_id: str
    boot_ns: int
    wall_ns: int

    @classmethod
    def now(cls) -> Moment:
        """Return this moment."""
        clock = getattr(time, "CLOCK_BOOTTIME", None)
        if clock is None:
            return cls("", 0, time.time_ns())
        return cls(boot_id(), time.clock_gettime_ns(clock), time.time_ns())

    def seconds_since(self, earlier: Moment) -> float:
        """Return how long after an earlier moment this one is; 0 if the clocks say that it is before."""
        if self.boot_id and self.boot_id == earlier.boot_id:
            return max(0, self.boot_ns - earlier.boot_ns) / 1e9
        return max(0, self.wall_ns - earlier.wall_ns) / 1e9


def boot_id() -> str:
    """Return the id of this start of the machine; empty where the system does not say."""
    try:
        return BOOT_ID.read_text().strip()
    except OSError:
        return ""
