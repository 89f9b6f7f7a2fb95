# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What the core of the log needs of time. The node gives it asyncio's, the simulation a virtual one."""

from __future__ import annotations

import asyncio
from time import monotonic, time_ns
from typing import Protocol


class Flag(Protocol):
    """Something that coroutines wait for, as `asyncio.Event`."""

    def set(self) -> None: ...

    def clear(self) -> None: ...

    def is_set(self) -> bool: ...

    async def wait(self) -> object: ...


class Clock(Protocol):
    """Time. The core awaits the log server and this, and nothing else."""

    def now(self) -> float:
        """Return monotonic seconds."""

    def wall_ns(self) -> int:
        """Return wall-clock nanoseconds."""

    async def sleep(self, seconds: float) -> None:
        """Let others run for so long."""

    def flag(self) -> Flag:
        """Return a new flag."""


class LoopClock:
    """The time of a process and its event loop."""

    now = staticmethod(monotonic)
    wall_ns = staticmethod(time_ns)
    sleep = staticmethod(asyncio.sleep)
    flag = staticmethod(asyncio.Event)
