# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""A log file that is rotated every so many hours, and the rotated files that are kept.

Owned by one log writer's thread. Windows are counted from 1970 in UTC, so 24 hours end at midnight UTC, and a node that
is restarted every hour still rotates. A rotated file is named after its window's start, `node.log.2026-11-23_00`, as
the standard library's `TimedRotatingFileHandler` names it. That class is not used because it measures from the last
start, and if the new name is taken it deletes that file (3.11, 3.12) or never rotates again (3.13). No line is lost
here: if a rename fails, the file stays in use until the next window.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

_logger = logging.getLogger(__name__)

_STAMP: Final = "%Y-%m-%d_%H"
_STAMPED: Final = re.compile(r"\d{4}-\d\d-\d\d_\d\d", re.ASCII)


class RotatingFile:
    """The target of a log writer.

    Creates missing folders. `clock` returns wall time in seconds. Raises OSError if the file can't be opened for
    appending.
    """

    def __init__(self, path: Path, *, hours: int, count: int, clock: Callable[[], float]) -> None:
        self._path = path
        self._seconds = hours * 3600
        self._count = count
        self._clock = clock
        path.parent.mkdir(parents=True, exist_ok=True)
        # A file from an earlier run belongs to the window in which it was last written.
        began = path.stat().st_mtime if path.exists() else clock()
        self._window = self._window_of(began)
        self._file = path.open("ab", buffering=0)

    def write(self, data: memoryview, /) -> int | None:
        """Append. Returns how many bytes were taken. Raises OSError."""
        window = self._window_of(self._clock())
        if window > self._window:
            self._rotate()
            self._window = window
        return self._file.write(data)

    def fileno(self) -> int:
        return self._file.fileno()

    def close(self) -> None:
        self._file.close()

    def _window_of(self, seconds: float) -> int:
        return int(seconds) // self._seconds

    def _rotate(self) -> None:
        there = self._path.exists()
        if there and not self._path.is_file():
            return  # A device or a pipe: never renamed.
        stamp = time.strftime(_STAMP, time.gmtime(self._window * self._seconds))
        kept = self._path.with_name(f"{self._path.name}.{stamp}")
        try:
            if kept.exists():
                raise FileExistsError(f"{kept} is there already")
            if there:  # else someone moved or deleted it
                self._path.rename(kept)
            fresh = self._path.open("ab", buffering=0)
            self._file.close()
            self._file = fresh
            for old in self._rotated()[: -self._count]:
                old.unlink()
        except OSError as error:
            _logger.warning("log file %s was not rotated: %s", self._path, error)

    def _rotated(self) -> list[Path]:
        prefix = f"{self._path.name}."
        return sorted(
            path
            for path in self._path.parent.iterdir()
            if path.name.startswith(prefix) and _STAMPED.fullmatch(path.name.removeprefix(prefix))
        )
