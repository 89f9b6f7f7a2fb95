# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Ends the sockets and waiting calls of people whose session has ended, on this node or another one.

The event loop asks once a second and ends what is to end; a thread of its own reads the database, so that one that
hangs holds up nothing. Each hands the other a set that is never changed. Nothing is read while no session has anything
open.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection
from threading import Event, Thread

from django.db import Error, close_old_connections, connection

from edge.lasting import Lasting
from edge.session_caller import SignedIn

logger = logging.getLogger(__name__)

INTERVAL_SECONDS = 1.0  # an end is read within one, and acted on within the next: it holds within 5 s
STOP_SECONDS = 2.0

Judge = Callable[[Collection[SignedIn]], frozenset[SignedIn]]


class SessionWatch:
    """The thread, and the loop's timer.

    `lasting`: what lasts, and by whom.
    `judge`: returns the sessions that have ended. Called on the thread; raises any exception, and then none has.
    `ended`: sockets and calls ended so far.
    """

    def __init__(self, lasting: Lasting, judge: Judge, *, interval_seconds: float = INTERVAL_SECONDS) -> None:
        self.ended = 0
        self._lasting = lasting
        self._judge = judge
        self._interval_seconds = interval_seconds
        self._asked: frozenset[SignedIn] = frozenset()
        self._gone: frozenset[SignedIn] = frozenset()
        self._wanted = Event()
        self._stopping = False
        self._problem = ""
        self._timer: asyncio.TimerHandle | None = None
        self._thread = Thread(target=self._run, name="sessions", daemon=True)

    def start(self) -> None:
        """Look now, and from now on every second. Called on the event loop."""
        if not self._thread.is_alive():
            self._thread.start()
        self._tick()

    async def stop(self) -> None:
        """Look no more. Called on the event loop."""
        if self._timer is not None:
            self._timer.cancel()

    def close(self) -> None:
        """End the thread. One that waits for a hung database is left to the end of the process."""
        self._stopping = True
        self._wanted.set()
        if self._thread.is_alive():
            self._thread.join(STOP_SECONDS)

    def _tick(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._interval_seconds, self._tick)
        gone, self._gone = self._gone, frozenset()  # judged once: an account may be enabled again
        if gone and (ended := self._lasting.end_without(lambda caller: caller not in gone)):
            self.ended += ended
            logger.info("%d sockets and waiting calls ended, for their sessions have", ended)
        self._asked = frozenset(each for each in self._lasting.callers() if isinstance(each, SignedIn))
        if self._asked:
            self._wanted.set()

    def _run(self) -> None:
        try:
            while not self._stopping:
                self._wanted.wait()
                self._wanted.clear()
                if not self._stopping:
                    self.look()
        finally:
            connection.close()

    def look(self) -> None:
        """Judge what has been asked for. Never raises."""
        try:
            if connection.settings_dict["CONN_MAX_AGE"] or connection.errors_occurred:
                close_old_connections()  # one that broke is opened anew; SQLite's would be each time, for a millisecond
            self._gone = self._judge(self._asked)
            self._problem = ""
        except Exception as error:
            problem = " ".join(str(error).split()) or type(error).__name__
            if problem != self._problem:
                fault = not isinstance(error, Error)
                logger.warning("sessions can't be read, what they opened stays open: %s", problem, exc_info=fault)
            self._problem = problem
