# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The folder of one node's files, `[Node] DataDir`: private to the node's user, and used by one node at a time.

Any process of the node's user may use it: the node and, beside it, commands. Locks are the kernel's (`flock`), so a
process that is killed leaves none behind. Used on the main thread.
"""

from __future__ import annotations

import fcntl
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic, sleep
from typing import Final

from runtime.config.error import ConfigError

PRIVATE_FILE: Final = 0o600
PRIVATE_FOLDER: Final = 0o700
LOCK: Final = "node.lock"
# How long a command waits for another one that migrates. A first migration takes about a second.
WAIT_SECONDS: Final = 60.0
_RETRY_SECONDS: Final = 0.05


class DataFolder:
    """A folder of files that only their user can read.

    `path`: where it is.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def prepare(self, database: str | None, *others: str) -> None:
        """Make the folder and the database's file, if they are missing, and take the rights of other users away.

        None: the database is elsewhere.

        Files whose names begin with the database's, such as SQLite's `-wal` and `-shm`, and the `others` become private
        too. Raises ConfigError if the folder or the file can't be made.
        """
        try:
            self.path.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
            # A folder that everybody may write to by intention, such as /tmp, stays so.
            if not self.path.stat().st_mode & stat.S_ISVTX:
                _make_private(self.path)
            found = []
            if database is not None:
                # An empty file is a new database. SQLite gives the files that it adds the mode of this one.
                os.close(os.open(self.path / database, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, PRIVATE_FILE))
                found = list(self.path.glob(f"{database}*"))
            for each in (*found, *map(self.path.joinpath, others)):
                _make_private(each)
        except OSError as error:
            raise self.problem(f"cannot keep files in {self.path}: {error.strerror}") from None

    @contextmanager
    def in_use_by_this_node(self) -> Iterator[None]:
        """Keep other nodes out of the folder. Raises ConfigError if one is in it."""
        with self._locked(LOCK, 0.0, f"{self.path} is in use by another node", "give each node a folder of its own"):
            yield

    @contextmanager
    def alone_at(self, work: str) -> Iterator[None]:
        """Keep other processes from the same work, named by a word. Waits until they have done it.

        Raises ConfigError after a minute.
        """
        busy = f"waited {WAIT_SECONDS:g} s for another process to end its {work} in {self.path}"
        with self._locked(f"{work}.lock", WAIT_SECONDS, busy, "is it stuck?"):
            yield

    def try_lock(self) -> int | None:
        """Keep other processes that ask out of this folder, until the file that is returned is closed.

        Returns None if one is in it. Raises OSError if there can be no file.
        """
        file = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE_FILE)
        if _lock(file, 0.0):
            return file
        os.close(file)
        return None

    def problem(self, text: str) -> ConfigError:
        """Return an error of this folder, for the command line."""
        return ConfigError(f"[Node] DataDir: {text}")

    @contextmanager
    def _locked(self, name: str, wait_seconds: float, busy: str, advice: str) -> Iterator[None]:
        path = self.path / name
        try:
            file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE_FILE)
        except OSError as error:
            raise self.problem(f"cannot keep {path}: {error.strerror}") from None
        try:
            if not _lock(file, wait_seconds):
                raise self.problem(f"{busy}{_holder(file)}; {advice}")
            # For whom the lock keeps out. The lock itself is in the kernel.
            with suppress(OSError):  # a full disk
                os.ftruncate(file, 0)
                os.pwrite(file, f"process {os.getpid()} on {socket.gethostname()}".encode(), 0)
            yield
        finally:
            os.close(file)  # unlocks


def _lock(file: int, wait_seconds: float) -> bool:
    """Lock the file. Returns False if another process keeps it locked for so long.

    A file system without locks is taken as it is: then nobody is kept out.
    """
    ends = monotonic() + wait_seconds
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if monotonic() >= ends:
                return False
            sleep(_RETRY_SECONDS)
        except OSError:
            return True
        else:
            return True


def _holder(file: int) -> str:
    text = os.pread(file, 200, 0).decode("utf-8", "replace")
    return f" ({text})" if text and text.isprintable() else ""


def _make_private(path: Path) -> None:
    """Take the rights of other users away. A file of another user is left: its owner decides."""
    with suppress(PermissionError, FileNotFoundError):  # SQLite removes its files when the last process ends
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & 0o077 and path.stat().st_uid == os.geteuid():
            path.chmod(mode & ~0o077)
