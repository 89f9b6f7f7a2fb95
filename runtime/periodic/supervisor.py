# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Keeps a loop running in a daemon thread: if it ends before it is stopped, it is started again after a pause.

Each supervisor has one thread. Its owner calls `start`, `request_stop` and `join`; any thread may call `well` and
`state`. Always holds: what the loop raises is logged and shown in the state, and goes no further.
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
"""How long a loop may be silent. It calls `well` about once a second."""

Loop = Callable[[Event], None]
"""Runs until the event is set."""


class Supervisor:
    """Keeps one loop running.

    `silence` is the state of a loop that runs but has stopped calling `well`.
    """

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
        """Start the loop. Raises RuntimeError while the thread of an earlier start still runs."""
        if self._thread is not None and self._thread.is_alive():
            raise RuntimeError(f"{self._name} has not stopped yet")
        self._stopping.clear()
        self._heard = self._monotonic()
        self._state = (PartState.STARTING, "")
        self._thread = Thread(target=self._run, name=self._name, daemon=True)
        self._thread.start()

    def request_stop(self) -> None:
        self._stopping.set()

    def join(self, timeout: float) -> bool:
        """Wait at most `timeout` seconds. Returns whether the thread has ended."""
        if self._thread is None:
            return True
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def well(self) -> None:
        """Note that the loop does its work."""
        self._heard = self._monotonic()
        if not self._stopping.is_set():
            self._state = (PartState.OK, "")

    def state(self) -> tuple[PartState, str]:
        """Return the state and a detail, for `Health`. `DEGRADED` if the broker is away: the loop waits for it."""
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
            except BaseException as error:  # of any kind: the node must not stop
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
