# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""A thread that looks every second whether the files of TLS contexts have changed.

A thread of its own: making a context takes milliseconds, which the event loop must not stand still, and a certificate
must be renewed also while Celery's broker is away.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

logger = logging.getLogger("runtime.tls")

INTERVAL_SECONDS = 1.0


class TlsWatch:
    """Calls `look` at every interval, on the thread `tls-watch`. The composition root starts and stops it."""

    def __init__(self, look: Callable[[], None], interval_seconds: float = INTERVAL_SECONDS) -> None:
        self._look = look
        self._interval_seconds = interval_seconds
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="tls-watch", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(self._interval_seconds):
            try:
                self._look()
            except Exception:
                logger.exception("TLS: the files could not be looked at")
