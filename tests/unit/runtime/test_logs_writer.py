# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The writer on real pipes and files, and on targets that fail."""

from __future__ import annotations

import errno
import fcntl
import io
import os
import select
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.logs.writer import GATHER, LogWriter

LINE = b"%08d " + b"x" * 54 + b"\n"  # 64 bytes
PIPE_BYTES = 4096


def notice(lost: int) -> bytes:
    return b"lost %d\n" % lost


class Pipe:
    """A pipe of 4 KiB, its writing end unbuffered."""

    def __init__(self) -> None:
        self.reading, writing = os.pipe()
        fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        self.target = io.FileIO(writing, "wb")
        self.read = bytearray()
        self._reader = threading.Thread(target=self._read)

    def fill(self, writer: LogWriter) -> int:
        """Have the writer's thread stand in a write; how many lines that took."""
        writer.put(LINE % 0 * 100, urgent=True)
        assert select.select([self.reading], [], [], 60)[0]
        return 100

    def start_reading(self) -> None:
        self._reader.start()

    def _read(self) -> None:
        while data := os.read(self.reading, 65536):
            self.read += data

    def lines(self) -> list[bytes]:
        """What came until the writing end was closed."""
        self._reader.join(60)
        assert not self._reader.is_alive()
        return bytes(self.read).splitlines(keepends=True)

    def break_off(self) -> None:
        os.close(self.reading)
        self.reading = -1

    def end(self) -> None:
        if self._reader.ident is not None:
            self._reader.join(60)
        if self.reading >= 0:
            self.break_off()


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    made = Pipe()
    yield made
    made.end()


class Failing:
    """Takes at most `room` bytes, then fails with `error`, if there is one, until that is cleared."""

    def __init__(self, room: int = 1 << 30) -> None:
        self.room = room
        self.error: OSError | None = None
        self.written = b""
        self.closed = False

    def write(self, data: memoryview, /) -> int:
        if self.error is not None and self.room == 0:
            raise self.error
        taken = bytes(data[: self.room])
        self.written += taken
        if self.error is not None:
            self.room -= len(taken)
        return len(taken)

    def fileno(self) -> int:
        return -1

    def close(self) -> None:
        self.closed = True


def test_it_writes_lines_in_order_and_closes_its_target(tmp_path: Path) -> None:
    target = io.FileIO(tmp_path / "out", "wb")
    writer = LogWriter(target, notice)
    for number in range(1000):
        writer.put(b"%d\n" % number, urgent=number % 2 == 0)
    writer.close(60)
    assert (tmp_path / "out").read_bytes() == b"".join(b"%d\n" % number for number in range(1000))
    assert target.closed
    assert writer.dropped == 0


def test_urgent_lines_are_written_without_being_asked() -> None:
    written = threading.Event()

    class Telling(Failing):
        def write(self, data: memoryview, /) -> int:
            written.set()
            return super().write(data)

    writer = LogWriter(Telling(), notice)
    writer.put(b"a\n", urgent=True)
    assert written.wait(60)
    writer.close(60)


def test_other_lines_wait_until_woken_or_until_enough_are_there() -> None:
    written = threading.Event()

    class Telling(Failing):
        def write(self, data: memoryview, /) -> int:
            written.set()
            return super().write(data)

    writer = LogWriter(Telling(), notice)
    writer.put(b"a\n", urgent=False)
    assert not written.is_set()
    writer.wake()
    assert written.wait(60)
    assert writer.drain(60)
    written.clear()
    writer.put(b"b" * (GATHER - 1) + b"\n", urgent=False)
    assert written.wait(60)
    writer.close(60)


def test_a_pipe_that_nobody_reads_costs_lines_but_never_blocks_and_recovers(pipe: Pipe) -> None:
    writer = LogWriter(pipe.target, notice, limit=16 * 1024)
    stuck = pipe.fill(writer)
    for number in range(1000):
        writer.put(LINE % number, urgent=True)
    kept = 16 * 1024 // 64
    assert writer.dropped == 1000 - kept
    pipe.start_reading()
    assert writer.drain(60)
    writer.put(b"after\n", urgent=True)
    writer.close(60)

    *came, told, after = pipe.lines()
    assert came == [LINE % 0] * stuck + [LINE % number for number in range(kept)]
    assert (told, after) == (b"lost %d\n" % (1000 - kept), b"after\n")


def test_a_flood_leaves_room_for_urgent_lines(pipe: Pipe) -> None:
    writer = LogWriter(pipe.target, notice, limit=16 * 1024)
    pipe.fill(writer)
    for number in range(1000):
        writer.put(LINE % number, urgent=False)
    dropped = writer.dropped
    assert dropped > 0
    writer.put(b"urgent\n", urgent=True)
    assert writer.dropped == dropped
    pipe.start_reading()
    writer.close(60)
    assert b"urgent\n" in pipe.lines()


def test_closing_ends_in_time_when_nobody_reads_and_counts_what_is_left(pipe: Pipe) -> None:
    writer = LogWriter(pipe.target, notice)
    pipe.fill(writer)
    writer.put(LINE % 1 * 7, urgent=True)
    writer.close(0.01)
    assert writer.dropped == 7
    writer.put(b"too late\n", urgent=True)
    pipe.start_reading()
    assert b"too late\n" not in pipe.lines()


def test_draining_ends_in_time_when_nobody_reads(pipe: Pipe) -> None:
    writer = LogWriter(pipe.target, notice)
    pipe.fill(writer)
    assert not writer.drain(0.01)
    pipe.start_reading()
    writer.close(60)


def test_a_broken_pipe_costs_its_lines_and_not_the_thread(pipe: Pipe) -> None:
    pipe.break_off()
    writer = LogWriter(pipe.target, notice)
    for count in (1, 2, 3):
        writer.put(b"a\n", urgent=True)
        assert writer.drain(60)
        assert writer.dropped == count
    writer.close(60)


def test_a_full_disk_costs_lines_and_is_told_of_once_there_is_room() -> None:
    target = Failing(room=0)
    target.error = OSError(errno.ENOSPC, "No space left on device")
    writer = LogWriter(target, notice)
    writer.put(b"a\nb\n", urgent=True)
    assert writer.drain(60)
    target.error = None
    target.room = 1 << 30
    writer.put(b"c\n", urgent=True)
    writer.close(60)
    assert target.written == b"c\nlost 2\n"
    assert target.closed


def test_a_line_cut_by_a_full_disk_does_not_run_into_the_next() -> None:
    target = Failing(room=5)
    target.error = OSError(errno.ENOSPC, "No space left on device")
    writer = LogWriter(target, notice)
    writer.put(b"one\ntwo\nthree\n", urgent=True)
    assert writer.drain(60)
    assert writer.dropped == 2
    writer.put(b"four\n", urgent=True)
    assert writer.drain(60)
    target.error = None
    target.room = 1 << 30
    writer.put(b"five\n", urgent=True)
    writer.close(60)
    assert target.written == b"one\nt\nfive\nlost 3\n"


def test_a_notice_that_cannot_be_written_is_tried_again() -> None:
    target = Failing(room=0)
    target.error = OSError(errno.ENOSPC, "No space left on device")
    writer = LogWriter(target, notice)
    writer.put(b"a\n", urgent=True)
    assert writer.drain(60)
    target.room = 2  # for the line, but not for the notice
    writer.put(b"b\n", urgent=True)
    assert writer.drain(60)
    target.error = None
    target.room = 1 << 30
    writer.put(b"c\n", urgent=True)
    writer.close(60)
    assert target.written == b"b\nc\nlost 1\n"


def test_short_writes_are_carried_on() -> None:
    target = Failing(room=3)
    writer = LogWriter(target, notice)
    writer.put(b"one two three\n", urgent=True)
    writer.close(60)
    assert target.written == b"one two three\n"


def test_a_descriptor_that_does_not_block_is_waited_for(pipe: Pipe) -> None:
    os.set_blocking(pipe.target.fileno(), False)
    writer = LogWriter(pipe.target, notice)
    lines = [LINE % number for number in range(1000)]
    writer.put(b"".join(lines), urgent=True)
    pipe.start_reading()
    writer.close(60)
    assert pipe.lines() == lines
    assert writer.dropped == 0
