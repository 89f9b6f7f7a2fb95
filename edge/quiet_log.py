# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What a library logs of each connection, at `DEBUG`.

A client can open any number of connections. Three lines for each fill a log, and each line wakes the thread that writes
it, which takes the interpreter from the loop. Warnings and errors stay what they are.

On the event loop.
"""

from __future__ import annotations

import logging
from typing import Any

from uvicorn.logging import TRACE_LOG_LEVEL


class QuietLog(logging.LoggerAdapter[logging.Logger]):
    """A logger whose `info` is `debug`.

    `level`: what uvicorn compares before it traces. It traces nothing.
    """

    level = TRACE_LOG_LEVEL + 1

    def info(self, msg: object, *args: object, **kwargs: Any) -> None:
        """Log at `DEBUG`."""
        self.debug(msg, *args, **kwargs)
