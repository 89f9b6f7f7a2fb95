# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Samples the ledger every 10 s, on the server's event loop."""

from __future__ import annotations

import asyncio
import logging
from time import time_ns

from loadstats.history.history import History
from loadstats.history.sampling import Sampling
from loadstats.history.series import STEP_SECONDS

logger = logging.getLogger("loadstats.history")


class HistorySampler:
    """The task that samples, from `start` to `stop`. A step that comes too late is left out."""

    def __init__(self, history: History, sampling: Sampling) -> None:
        self._history = history
        self._sampling = sampling
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to sample."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """Sample no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            step = max(self._history.step(), self._history.latest) + 1
            await asyncio.sleep(step * STEP_SECONDS - self._history.now())
            try:
                for _ in self._sampling.sample(step, time_ns()):
                    await asyncio.sleep(0)
            except Exception:
                logger.exception("a step of the history was not kept; the next one is in %d s", STEP_SECONDS)
