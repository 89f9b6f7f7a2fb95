# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""A loop that is kept running: in a daemon thread, started anew, after a pause, whenever it ends untold.

One thread per supervisor, its own. `start`, `tell_to_stop` and `join` belong to its owner; `well` and `state` may
be called from any thread. Always holds: nothing that the loop raises goes further than the log and the state.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from threading import Event, Thread
from typing import Final

from kombu.exceptions import OperationalError

from runtime.health import PartState, rfc3339

logger = logging.getLogger(__name__)

SHORTEST_PAUSE_SECONDS: Final = 0.5
LONGEST_PAUSE_SECONDS: Final = 10.0
PATIENCE_SECONDS: Final = 10.0
"""How long a loop may be silent. It says that it is well about once a second."""

Loop = Callable[[Event], None]
"""Runs until the event is set."""


class Supervisor:
    """`silence` is the state of a loop that runs and yet no longer says that it is well."""

    def __init__(
        self, name: str, loop: Loop, silence: PartState, clock: Callable[[], float], monotonic: Callable[[], float]
    ) -> None:
        self._name = name
        self._loop = loop
        self._silence = silence
        self._clock = clock
        self._monotonic = monotonic
        self._stopping = Event()
        self._thread: Thread | None = None
        self._state = (PartState.STOPPED, "")
        self._heard = 0.0

    def start(self) -> None:
        """RuntimeError while the thread of an earlier start still runs."""
        if self._thread is not None and self._thread.is_alive():
            raise RuntimeError(f"{self._name} has not stopped yet")
        self._stopping.clear()
        self._heard = self._monotonic()
        self._state = (PartState.STARTING, "")
        self._thread = Thread(target=self._run, name=self._name, daemon=True)
        self._thread.start()

    def tell_to_stop(self) -> None:
        self._stopping.set()

    def join(self, timeout: float) -> bool:
        """Wait at most `timeout` seconds; whether the thread has ended."""
        if self._thread is None:
            return True
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def well(self) -> None:
        """The loop does its work."""
        self._heard = self._monotonic()
        if not self._stopping.is_set():
            self._state = (PartState.OK, "")

    def state(self) -> tuple[PartState, str]:
        """For `Health`. A broker that is away is `DEGRADED`: it will come back without anybody doing anything here."""
        state, detail = self._state
        silent = self._monotonic() - self._heard
        if state in {PartState.STARTING, PartState.OK} and silent > PATIENCE_SECONDS:
            return self._silence, f"stalled since {rfc3339(self._clock() - silent)}"
        return state, detail

    def _run(self) -> None:
        pause = SHORTEST_PAUSE_SECONDS
        while not self._stopping.is_set():
            began = self._monotonic()
            state, detail = PartState.FAILED, "ended"
            try:
                self._loop(self._stopping)
            except OperationalError as error:
                state, detail = PartState.DEGRADED, f"broker: {error}"
            except BaseException as error:  # whatever it is, the node goes on
                detail = f"{type(error).__name__}: {error}"
            if self._stopping.is_set():
                break
            if self._monotonic() - began > LONGEST_PAUSE_SECONDS:
                pause = SHORTEST_PAUSE_SECONDS
            logger.warning("%s: %s; starting it anew in %g s", self._name, detail, pause)
            self._state = (state, detail)
            self._stopping.wait(pause)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
        self._state = (PartState.STOPPED, "")
