# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The machine: its cores, what a process used of them, and how a report names it.

Reads Linux's /proc. The server under test has the first core to itself. This process, and whatever else it starts, has
the last one.
"""

from __future__ import annotations

import os
import platform
import sysconfig
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path

PROC = Path("/proc")
_TICK_SECONDS = 1 / os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@contextmanager
def pinned(core: int) -> Iterator[None]:
    """Keep this process, and what it starts in the context, on one core."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def cores() -> tuple[int, int]:
    """Return the server's core and the load's. They are the same if there is only one."""
    usable = sorted(os.sched_getaffinity(0))
    return usable[0], usable[-1]


def cpu_seconds(pid: int, proc: Path = PROC) -> float:
    """Return the user and system time that a process has used, all threads, in steps of 10 ms."""
    # The name, in parentheses, may hold spaces and parentheses.
    fields = (proc / str(pid) / "stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * _TICK_SECONDS


def resident_bytes(pid: int, proc: Path = PROC) -> int:
    """Return the memory that a process holds."""
    return int((proc / str(pid) / "statm").read_text().split()[1]) * _PAGE_BYTES


def waited_seconds(pid: int, proc: Path = PROC) -> float:
    """Return how long a process's threads were ready to run while their core did something else."""
    waited_ns = 0
    for task in (proc / str(pid) / "task").iterdir():
        with suppress(FileNotFoundError, ProcessLookupError):  # a thread that has just ended
            waited_ns += int((task / "schedstat").read_text().split()[1])
    return waited_ns / 1e9


def stolen_seconds(proc: Path = PROC) -> float:
    """Return how long since boot the host gave others the time that this machine wanted, summed over cores."""
    return int((proc / "stat").read_text().partition("\n")[0].split()[8]) * _TICK_SECONDS


def processor(proc: Path = PROC) -> str:
    """Return the processor's name."""
    for line in (proc / "cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()


def interpreter(variables: Mapping[str, object] | None = None) -> str:
    """Return the interpreter's name, version and how it was built, as `CPython 3.12.4 (PGO, LTO)`.

    `variables` are `sysconfig.get_config_vars()`. A build made with neither reads `(no PGO, no LTO)`.
    """
    known = sysconfig.get_config_vars() if variables is None else variables
    arguments = str(known.get("CONFIG_ARGS") or "")
    build = [
        "PGO" if "--enable-optimizations" in arguments else "no PGO",
        "LTO" if "--with-lto" in arguments and "--with-lto=no" not in arguments else "no LTO",
    ]
    if known.get("Py_DEBUG"):
        build.append("debug")
    if known.get("Py_GIL_DISABLED"):
        build.append("free-threaded")
    return f"{platform.python_implementation()} {platform.python_version()} ({', '.join(build)})"


def facts() -> str:
    """Return one line that says what the numbers were measured on."""
    return (
        f"{processor()}, {os.cpu_count()} cores, Linux {platform.release()}, {interpreter()}, "
        f"uvloop {version('uvloop')}, uvicorn {version('uvicorn')}"
    )
