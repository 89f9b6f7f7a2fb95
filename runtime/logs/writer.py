# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The log writer: takes whole lines from any thread and writes them on a thread of its own.

`put` never blocks. Lines without room, because a disk or a pipe stands still, are dropped and counted; once writing
works again, one line reports how many were lost. An error of the target (a broken pipe, a full disk) loses the lines
at hand and never ends the thread. Each target has one writer, so lines never mix. At most `limit` bytes wait, and as
many again are being written.
"""

from __future__ import annotations

import select
import threading
from collections.abc import Callable
from typing import Final, Protocol

# More than a second of access lines at 40,000 a second.
LIMIT: Final = 8 * 1024 * 1024
# Waking the thread per chunk of 64 lines instead would take the interpreter from the loop eight times as often.
GATHER: Final = 64 * 1024


class Target(Protocol):
    """What a log writer writes to: an unbuffered binary file, such as `io.FileIO`."""

    def write(self, data: memoryview, /) -> int | None:
        """Return how many bytes were taken, or None if the descriptor is non-blocking and full."""

    def fileno(self) -> int: ...

    def close(self) -> None: ...


class LogWriter:
    """Writes the lines of one target.

    `notice` makes the line that reports lost ones, from their number. It is called on the writer's thread.
    """

    def __init__(self, target: Target, notice: Callable[[int], bytes], *, limit: int = LIMIT) -> None:
        self._target = target
        self._notice = notice
        self._limit = limit
        self._waiting: list[bytes] = []
        self._size = 0
        self._due = False
        self._busy = False
        self._closing = False
        self._torn = False
        self._reported = 0
        self._dropped = 0
        # Its lock is reentrant: the collector may run a finalizer that logs while the lock is held.
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="log-outlet", daemon=True)
        self._thread.start()

    @property
    def dropped(self) -> int:
        """Lines lost since the start."""
        return self._dropped

    def put(self, lines: bytes, *, urgent: bool) -> None:
        """Take whole lines, each with its newline.

        Urgent lines are written at once and may use the last eighth of the room, so that many access lines can't push
        out the application's own. Other lines wait for `wake`, or until `GATHER` bytes are there.
        """
        room = self._limit if urgent else self._limit - self._limit // 8
        with self._changed:
            if self._closing or self._size + len(lines) > room:
                self._dropped += lines.count(b"\n")
                return
            self._waiting.append(lines)
            self._size += len(lines)
            if urgent or self._size >= GATHER:
                self.wake()

    def wake(self) -> None:
        """Write what waits."""
        with self._changed:
            if self._waiting and not self._due:
                self._due = True
                self._changed.notify_all()

    def drain(self, timeout_seconds: float) -> bool:
        """Wait until everything taken so far is written or lost. Returns False if that took too long."""
        with self._changed:
            self.wake()
            return self._changed.wait_for(lambda: not (self._waiting or self._busy), timeout_seconds)

    def close(self, timeout_seconds: float) -> None:
        """Write what waits, then close the target. Lines that can't be written in time count as lost."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join(timeout_seconds)
        with self._changed:
            self._dropped += b"".join(self._take()).count(b"\n")

    def _take(self) -> list[bytes]:
        batch, self._waiting, self._size, self._due = self._waiting, [], 0, False
        return batch

    def _run(self) -> None:
        while True:
            with self._changed:
                self._busy = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._due or self._closing)
                batch = self._take()
                if not batch:
                    break
                self._busy = True
                # Lines lost for lack of room. They came after this batch and before the next one.
                lost = self._dropped
            if self._write(b"".join(batch)):
                self._report(lost - self._reported)
        self._target.close()

    def _write(self, lines: bytes) -> bool:
        lost = lines.count(b"\n", self._send(lines))
        with self._changed:
            self._dropped += lost
        return not lost

    def _report(self, lost: int) -> None:
        if lost:
            notice = self._notice(lost)
            if self._send(notice) == len(notice):
                self._reported += lost

    def _send(self, lines: bytes) -> int:
        """Return how many bytes were written: all, or fewer if the target failed."""
        rest = memoryview(lines)
        try:
            if self._torn:
                self._some(memoryview(b"\n"))
                self._torn = False
            while rest:
                rest = rest[self._some(rest) :]
        except OSError:
            written = len(lines) - len(rest)
            # If half a line was written, the next line starts on a line of its own.
            self._torn |= written > 0 and lines[written - 1] != ord("\n")
            return written
        return len(lines)

    def _some(self, data: memoryview) -> int:
        while (count := self._target.write(data)) is None:
            writable = select.poll()
            writable.register(self._target.fileno(), select.POLLOUT)
            writable.poll()
        return count
