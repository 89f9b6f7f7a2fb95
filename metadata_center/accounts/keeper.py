# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Keeps the accounts' PostgreSQL usable: a thread that migrates it, looks at it again and again, and minds the gate.

It alone waits for a database that is away. Everything it does is a function that is handed in; it owns when they are
called.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from threading import Event, Thread

from django.db import Error, ProgrammingError

from metadata_center.postgresql.failure import in_words
from metadata_center.postgresql.gate import DatabaseGate
from runtime.config import ConfigError

logger = logging.getLogger(__name__)

# A page that fails wakes the keeper at once, so this bounds only how late the node knows what no page has met.
OPEN_SECONDS = 2.0
CLOSED_SECONDS = 1.0
STOP_SECONDS = 1.0


class DatabaseKeeper:
    """The thread.

    `prepare`: makes the database ready for pages: migrates it, agrees on the key.
    `look`: reads what pages read. Returns a remark, what is not as it should be; empty if all is well.
    Both raise what is wrong.
    """

    def __init__(self, gate: DatabaseGate, prepare: Callable[[], None], look: Callable[[], str]) -> None:
        self._gate = gate
        self._prepare = prepare
        self._look = look
        self._prepared = False
        self._said = ""
        self._stopping = Event()
        self._thread = Thread(target=self._run, name="accounts", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """End soon. A thread that waits for a hung database is left to the end of the process."""
        self._stopping.set()
        self._gate.wake()
        self._thread.join(STOP_SECONDS)

    def _run(self) -> None:
        self._gate.keep()
        while not self._stopping.is_set():
            self.turn()
            self._gate.wait_for_report(OPEN_SECONDS if self._gate.is_open else CLOSED_SECONDS)

    def turn(self) -> None:
        """Look once, and open or close the gate."""
        try:
            if not self._prepared:
                self._prepare()
                self._prepared = True
            remark = self._look()
        except ProgrammingError as error:
            # Tables are missing: somebody has put an empty or an older database there.
            self._prepared = False
            self._close(error)
        except (Error, ConfigError) as error:
            self._close(error)
        except Exception as error:
            if self._say(error):
                logger.exception("the accounts' database cannot be made ready")
            self._gate.close(f"{type(error).__name__}, see the log")
        else:
            self._said = ""
            self._gate.open(remark)

    def _close(self, error: Error | ConfigError) -> None:
        if self._say(error):
            logger.warning("the accounts' database is away: %s", " ".join(str(error).split()))
        self._gate.close(in_words(error.__cause__ or error))

    def _say(self, error: Exception) -> bool:
        """Return whether it is news."""
        said, self._said = self._said, f"{type(error)} {error}"
        return said != self._said
