# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Processes that a test looks at and signals, and that may end by themselves at any moment.

The one place of the tests that signals processes by their number, and that reads about them in /proc. Always holds: a
process that has ended between a look and the next raises nothing here. It has no children, no sockets and no time.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from benchmarks import machine

# What the kernel says of a process that has ended: its folder is gone, or is empty behind an open file.
ENDED = (ProcessLookupError, FileNotFoundError)


class ProcessIdentity(NamedTuple):
    """A process, told from one that got its number later.

    `started`: in the kernel's ticks since the machine's start.
    """

    pid: int
    started: int

    @classmethod
    def of(cls, pid: int) -> ProcessIdentity:
        """Identify the process that has this number now. Raises ProcessLookupError if there is none."""
        fields = _stat(pid)
        if fields is None:
            raise ProcessLookupError(pid)
        return cls(pid, int(fields[19]))

    def is_alive(self) -> bool:
        """Whether it has not ended. It has ended even if its parent has not noticed yet (a zombie)."""
        fields = _stat(self.pid)
        return fields is not None and int(fields[19]) == self.started and fields[0] not in {"Z", "X"}


def send_signal(pid: int, number: signal.Signals) -> bool:
    """Signal a process. Returns False if it has ended."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return False
    return True


def children(pid: int) -> list[int]:
    """The processes that its main thread started."""
    with suppress(*ENDED):
        return list(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))
    return []


def count_sockets(pid: int) -> int:
    """How many of its descriptors are sockets; they may close while we look."""
    found = 0
    with suppress(*ENDED):
        for each in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(*ENDED):
                found += "socket" in str(each.readlink())
    return found


def cpu_seconds(pid: int) -> float:
    """The CPU time that it has used. 0 if it has ended."""
    with suppress(*ENDED):
        return machine.cpu_seconds(pid)
    return 0.0


def handles(pid: int, number: signal.Signals) -> bool:
    """Whether a function of its own handles a signal, as one of Python does Ctrl-C from its start on."""
    with suppress(*ENDED):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("SigCgt:"):
                return bool(int(line.split()[1], 16) >> (number - 1) & 1)
    return False


def _stat(pid: int) -> list[str] | None:
    """The fields of its `stat` from the third on (proc_pid_stat(5)). None if it has ended."""
    with suppress(*ENDED):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return None
