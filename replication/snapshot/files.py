# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The snapshot's files in the node's folder: `load.snapshot`, `load.tail.1` and on behind it. `log.nodes` has the other
nodes on the log.

Used on the main thread before the node serves, then by the disk's thread alone. Never synchronized to the disk: what
is written outlives the process, and a machine that loses its power loses what it had not written.

Always true: the snapshot is whole, for it is written beside and then renamed. A tail is removed only when a snapshot
that has its events is in place. All files are their user's alone. Another process that would use them is kept out by
a lock.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from os import write
from pathlib import Path
from typing import Final

from replication.snapshot.frames import FrameReader
from runtime.data_folder import PRIVATE_FILE, PRIVATE_FOLDER, DataFolder

SNAPSHOT: Final = "load.snapshot"
BESIDE: Final = "load.snapshot.new"
TAIL: Final = "load.tail."
NODES: Final = "log.nodes"
NODES_BESIDE: Final = "log.nodes.new"
ASIDE: Final = "set-aside"
FOLDER: Final = "snapshot"
MOST_TAIL_BYTES: Final = 1024 * 1024 * 1024
"""Of all tails. Then nothing more is appended until a snapshot stands for them."""


class SnapshotFiles:
    """The files of one node.

    `path`: their folder.
    `tail_bytes`: how much the tails hold that no snapshot stands for.
    `snapshot_bytes`: how much the snapshot holds.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / FOLDER
        self.tail_bytes = 0
        self.snapshot_bytes = 0
        self._tail: int | None = None  # the file that is appended to
        self._number = 0
        self._size = 0  # of it, up to its last whole write
        self._beside: int | None = None
        self._lock: int | None = None

    def claim(self) -> bool:
        """Keep other processes out. Returns False if one is in. Raises OSError if the folder cannot be used."""
        self.path.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
        self._lock = DataFolder(self.path).try_lock()
        return self._lock is not None

    # What a former life left

    @contextmanager
    def opened(self) -> Iterator[tuple[FrameReader | None, list[FrameReader]]]:
        """Open the snapshot and the tails, in their order. None: there is no snapshot."""
        with ExitStack() as open_files:
            snapshot = None
            if (self.path / SNAPSHOT).exists():
                snapshot = FrameReader(open_files.enter_context((self.path / SNAPSHOT).open("rb")))
            tails = [FrameReader(open_files.enter_context(self._tail_path(each).open("rb"))) for each in self.tails()]
            yield snapshot, tails

    def tails(self) -> list[int]:
        """Return the numbers of the tails, in order."""
        return sorted(
            int(each.name.removeprefix(TAIL))
            for each in self.path.glob(f"{TAIL}*")
            if each.name.removeprefix(TAIL).isdecimal()
        )

    def drop_tails_before(self, first: int) -> None:
        """Remove the tails that a snapshot stands for."""
        for number in self.tails():
            if number < first:
                self._tail_path(number).unlink(missing_ok=True)

    def set_aside(self) -> Path:
        """Move everything to a folder of its own, in place of what was set aside before. Raises OSError."""
        aside = self.path / ASIDE
        aside.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
        for each in aside.iterdir():
            each.unlink()
        for each in [self.path / SNAPSHOT, *map(self._tail_path, self.tails())]:
            with suppress(FileNotFoundError):
                each.rename(aside / each.name)
        return aside

    def measure(self) -> None:
        """Look how much the files hold."""
        with suppress(FileNotFoundError):
            self.snapshot_bytes = (self.path / SNAPSHOT).stat().st_size
        self.tail_bytes = sum(self._tail_path(each).stat().st_size for each in self.tails())

    # The tail

    def next_tail(self) -> int:
        """Return the number that the next tail will have."""
        return max([self._number, *self.tails()]) + 1

    def begin_tail(self, number: int, head: bytes) -> None:
        """Let events go to a new file from now on. Raises OSError, and then they go where they went before."""
        file = self._create(self._tail_path(number))
        try:
            _write(file, head)
        except OSError:
            os.close(file)
            with suppress(OSError):
                self._tail_path(number).unlink()
            raise
        if self._tail is not None:
            os.close(self._tail)
        self._tail, self._number, self._size = file, number, len(head)
        self.tail_bytes += len(head)

    def append(self, frames: bytes) -> None:
        """Append to the tail, in one write. Raises OSError; the file ends with its last whole write then."""
        if self._tail is None:
            raise OSError("there is no tail to append to")
        if self.tail_bytes + len(frames) > MOST_TAIL_BYTES:
            raise OSError(f"the tails hold {MOST_TAIL_BYTES} bytes that no snapshot stands for")
        try:
            _write(self._tail, frames)
        except OSError:
            with suppress(OSError):
                os.ftruncate(self._tail, self._size)
                os.lseek(self._tail, self._size, os.SEEK_SET)
            raise
        self._size += len(frames)
        self.tail_bytes += len(frames)

    # The snapshot

    def begin(self) -> None:
        """Begin to write a snapshot beside the one that stands. Raises OSError."""
        self.abandon()
        self._beside = self._create(self.path / BESIDE)

    def add(self, frame: bytes) -> None:
        """Write more of it. Raises OSError."""
        assert self._beside is not None
        _write(self._beside, frame)

    def finish(self, first_tail: int) -> None:
        """Put the snapshot in place and remove the tails that it stands for. Raises OSError."""
        assert self._beside is not None
        size = os.fstat(self._beside).st_size
        self._end()
        (self.path / BESIDE).rename(self.path / SNAPSHOT)
        self.snapshot_bytes = size
        self.drop_tails_before(first_tail)
        self.tail_bytes = sum(self._tail_path(each).stat().st_size for each in self.tails())

    def abandon(self) -> None:
        """Remove what is written of a snapshot that will not be finished."""
        self._end()
        with suppress(OSError):
            (self.path / BESIDE).unlink(missing_ok=True)

    # Which nodes there were

    def nodes(self) -> bytes:
        """Return what `keep_nodes` wrote last; empty if it wrote nothing. Raises OSError."""
        try:
            return (self.path / NODES).read_bytes()
        except FileNotFoundError:
            return b""

    def keep_nodes(self, body: bytes) -> None:
        """Keep which other nodes there are. Raises OSError, and then what was kept before stands."""
        file = self._create(self.path / NODES_BESIDE)
        try:
            _write(file, body)
        finally:
            os.close(file)
        (self.path / NODES_BESIDE).rename(self.path / NODES)

    def close(self) -> None:
        """Let go of the files."""
        self.abandon()
        for file in (self._tail, self._lock):
            if file is not None:
                os.close(file)
        self._tail = self._lock = None

    def _end(self) -> None:
        if self._beside is not None:
            file, self._beside = self._beside, None
            os.close(file)

    def _tail_path(self, number: int) -> Path:
        return self.path / f"{TAIL}{number}"

    @staticmethod
    def _create(path: Path) -> int:
        """Make a file anew, for its user alone."""
        with suppress(FileNotFoundError):
            path.unlink()
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE_FILE)


def _write(file: int, data: bytes) -> None:
    """Write all of it. Raises OSError where there is no room for it."""
    rest = memoryview(data)
    while rest:
        rest = rest[write(file, rest) :]
