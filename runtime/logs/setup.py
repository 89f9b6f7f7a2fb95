# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Sets up Python's logging from the configuration, once, and changes its level while the node runs.

The root logger has the only handler. Loggers of libraries lose their own and pass everything up. The level is set on
the root alone, so a change takes effect at once for all of them.
"""

from __future__ import annotations

import io
import json
import logging
import logging.config
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from runtime.config import schema
from runtime.config.error import ConfigError
from runtime.logs.access import AccessLog
from runtime.logs.formats import JsonLineFormatter, TextFormatter
from runtime.logs.levels import CONFIG_LEVELS, PYTHON_LEVELS, UnknownLevel
from runtime.logs.rotation import RotatingFile
from runtime.logs.writer import LogWriter, Target

_logger = logging.getLogger(__name__)

# Loggers to which their libraries give handlers or levels, or which do not pass records to the root.
LIBRARIES: Final = (
    "asyncio",
    "celery",
    "celery.redirected",
    "celery.task",
    "channels",
    "daphne",
    "django",
    "django.request",
    "django.server",
    "kombu",
    "py.warnings",
    "uvicorn",
    "uvicorn.access",
    "uvicorn.asgi",
    "uvicorn.error",
)


class LogWriterHandler(logging.Handler):
    """Formats on the thread that logs. The log writer writes on its own."""

    def __init__(self, writer: LogWriter) -> None:
        super().__init__()
        self._writer = writer

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = f"{self.format(record)}\n".encode("utf-8", "backslashreplace")
        except Exception:  # like every handler of the standard library: a bad log call loses its line only
            self.handleError(record)
        else:
            self._writer.put(line, urgent=True)

    def flush(self) -> None:
        """Wait until what was logged is written. `logging.shutdown` calls it when the process ends."""
        self._writer.drain(1.0)


class Logs:
    """The logs of one node.

    `level`: the level in force, as the contract names it.
    `access`: the access log, None if `AccessOutput` is `off`.
    """

    def __init__(
        self, level: str, handler: logging.Handler, writers: list[LogWriter], access: AccessLog | None
    ) -> None:
        self.level = level
        self.access = access
        self._handler = handler
        self._writers = writers
        self._apply(level)

    @property
    def dropped(self) -> int:
        """Lines of both logs that were lost because an output stood still or failed."""
        return sum(writer.dropped for writer in self._writers)

    def set_level(self, name: str) -> None:
        """Change the level of every logger and of the access log at once, and log the change.

        `name` as the contract has it, in this case. Raises UnknownLevel.
        """
        if name not in PYTHON_LEVELS:
            raise UnknownLevel(f"LevelParam: expected one of {', '.join(PYTHON_LEVELS)}, got {json.dumps(name[:40])}")
        old = self.level
        if PYTHON_LEVELS[name] < PYTHON_LEVELS[old]:
            self._apply(name)
        if name != old:  # logged at the lower of the two levels, so that it shows if either shows it
            _logger.warning("log level changed: %s -> %s", old, name)
        self._apply(name)

    def close(self, timeout_seconds: float = 2.0) -> None:
        """Write what is left. Later records go to Python's default handler."""
        if self.access is not None:
            self.access.enabled = False
            self.access.flush()
        logging.getLogger().removeHandler(self._handler)
        for writer in self._writers:
            writer.close(timeout_seconds)

    def _apply(self, name: str) -> None:
        self.level = name
        root = logging.getLogger()
        root.setLevel(PYTHON_LEVELS[name])
        for logger in list(root.manager.loggerDict.values()):
            if isinstance(logger, logging.Logger) and logger.level:
                logger.setLevel(logging.NOTSET)
        if self.access is not None:
            self.access.enabled = PYTHON_LEVELS[name] <= logging.INFO


def configure(log: schema.LogSettings, *, clock: Callable[[], float] = time.time) -> Logs:
    """Set up the logging of the whole process.

    `clock` returns wall time in seconds, for rotation. Raises ConfigError if a log file can't be opened.
    """
    formatter = JsonLineFormatter() if log.format == "json" else TextFormatter()

    def notice(lost: int) -> bytes:
        text = "%d lines were lost: the log's output stood still or failed"
        record = logging.LogRecord(__name__, logging.WARNING, __file__, 0, text, (lost,), None)
        return f"{formatter.format(record)}\n".encode()

    writers: dict[tuple[int, int], LogWriter] = {}

    def writer(kind: schema.LogTarget, member: str, file: str) -> LogWriter:
        try:
            target = _target(kind, file, log, clock)
        except OSError as error:
            place = f"{member}File: {file}" if kind == "file" else f"{member}: {kind}"
            raise ConfigError(f"[Log] {place}: {error.strerror}") from error
        # Compare the files, not their names: with `2>&1` both descriptors are one pipe.
        status = os.fstat(target.fileno())
        identity = status.st_dev, status.st_ino
        if identity in writers:
            target.close()
        else:
            writers[identity] = LogWriter(target, notice)
        return writers[identity]

    try:
        application = writer(log.output, "Output", log.output_file)
        access = None
        if log.access_output != "off":
            access = AccessLog(writer(log.access_output, "AccessOutput", log.access_output_file), log.format)
    except ConfigError:
        for opened in writers.values():
            opened.close(1.0)
        raise

    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"node": {"()": lambda: formatter}},
            "handlers": {"node": {"()": lambda: LogWriterHandler(application), "formatter": "node"}},
            "root": {"handlers": ["node"]},
            "loggers": {name: {"handlers": [], "propagate": True} for name in LIBRARIES},
        }
    )
    (handler,) = logging.getLogger().handlers
    return Logs(CONFIG_LEVELS[log.level], handler, list(writers.values()), access)


def _target(kind: schema.LogTarget, file: str, log: schema.LogSettings, clock: Callable[[], float]) -> Target:
    if kind == "file":
        return RotatingFile(Path(file).resolve(), hours=log.rotation_hours, count=log.rotation_count, clock=clock)
    # The descriptor and not `sys.stdout`, which code may replace or redirect.
    return io.FileIO(1 if kind == "stdout" else 2, "wb", closefd=False)
