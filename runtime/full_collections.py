# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Keeps full garbage collections rare and the others short, for each one stops all threads while it looks.

A full one looks at everything that was made. Python begins one whenever there are a quarter more objects. So a flood
that makes objects brings several a second, and beside 500 websockets each one takes 90 ms. Here Python may begin the
next one only after a rest that is many times as long as the last one was. What is part of no circle of references is
freed at once, as always.

The smaller ones come more often than Python's, and each looks at less. Together they take less time so, as what they
look at is still in the processor's cache.

Python calls `_note` on whichever thread collects. One collection runs at a time, so nothing else needs a lock.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping
from time import perf_counter
from typing import Any

REST = 200  # times as long as the last one: full collections take half a percent of the time at most
# Measured while 8,000 connections came: one of the middle kind takes 0.2 ms at most. With Python's 700 and 10 it takes
# up to 8 ms, with 700 and 5 up to 1.2 ms, and 4 beside websockets. FULL is as many objects as Python's 10 of such are.
YOUNG, MIDDLE, FULL = 200, 2, 75
NEVER = 2**31 - 1


class FullCollections:
    """Lets Python begin a full collection only after a rest.

    `clock`: seconds that never go back.
    """

    def __init__(self, *, clock: Callable[[], float] = perf_counter) -> None:
        self._clock = clock
        self._before: tuple[int, int, int] | None = None  # Python's thresholds
        self._began = 0.0
        self._may_at = float("-inf")

    def start(self) -> None:
        """Look at each collection from now on."""
        self._before = gc.get_threshold()
        gc.set_threshold(YOUNG, MIDDLE, FULL)
        gc.callbacks.append(self._note)

    def stop(self) -> None:
        """Leave it to Python again."""
        if self._before is not None:
            gc.callbacks.remove(self._note)
            gc.set_threshold(*self._before)
            self._before = None

    def _note(self, phase: str, info: Mapping[str, Any]) -> None:
        """Note that a collection begins or has ended. One of the middle kind at least comes before each full one."""
        generation = info["generation"]
        if not generation:
            return
        now = self._clock()
        if phase == "start":
            self._began = now
            return
        if generation == 2:
            self._may_at = now + REST * (now - self._began)
        gc.set_threshold(YOUNG, MIDDLE, FULL if now >= self._may_at else NEVER)
