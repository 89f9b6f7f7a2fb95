# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Several nodes on this machine, each a process of its own at an address of its own.

They find each other through a real DNS server, or learn from each other through a real log server.

For development: what the nodes do is what they do in production. Runs on one event loop; each node has a task that
starts it, passes its output on line by line and reports how it ended. A node that ends is not started again, so that a
person may kill one and watch the others.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

from discovery.local_dns import LocalDns
from metadata_center import __version__
from metadata_center.program import program

MAX_NODES = 9
NAME = "metadata-center.local"
TTL_SECONDS = 1
ACCESS_OUTPUT = "METADATA_CENTER_LOG_ACCESS_OUTPUT"
# After SIGTERM a node drains for 5 s by default and stops its parts.
STOP_SECONDS = 20.0
# The longest line that is passed on; nodes take headers of 32 KiB and log one request in a line.
LINE_BYTES = 1024 * 1024

# -P: a folder that happens to hold a redis.py must not stand in for a library.
_COMMAND = (sys.executable, "-P", "-m", "metadata_center", "run")
_ROOT = Path(__file__).resolve().parent.parent
# A node stopped before it could take the signal ends by it.
_STOPPED = (0, -signal.SIGTERM)


class Meeting(NamedTuple):
    """How the nodes learn from each other.

    `environment`: of every node.
    `words`: for people, as "found as NAME at the DNS server ADDRESS".
    """

    environment: dict[str, str]
    words: str


Meet = Callable[[Collection[str]], AbstractAsyncContextManager[Meeting]]
"""From the nodes' addresses to their meeting, which is there while they run."""


@asynccontextmanager
async def by_dns(addresses: Collection[str]) -> AsyncIterator[Meeting]:
    """Run a DNS server that knows the nodes."""
    with LocalDns() as names:
        names.publish(NAME, "A", *addresses, ttl=TTL_SECONDS)
        environment = {
            "META_DATA_CENTER_SVC_DISC_HOST": NAME,
            "META_DATA_CENTER_SVC_DISC_NAMESERVERS": names.endpoint,
        }
        yield Meeting(environment, f"found as {NAME} at the DNS server {names.endpoint}")


class LocalCluster:
    """Nodes at 127.0.0.1 and up, each a process.

    `nodes`: how many, 1 to 9.
    `port`: of the API at each address; profiles are on the next port.
    `data_dir`: each node's files are in a folder of it: node-1 and so on.
    `environ`: the rest of the nodes' environment.
    `write_line`: takes each line of output.
    `meet`: how they learn from each other.
    """

    def __init__(
        self,
        nodes: int,
        port: int,
        data_dir: Path,
        environ: Mapping[str, str],
        write_line: Callable[[str], None],
        meet: Meet = by_dns,
    ) -> None:
        self._addresses = {number: f"127.0.0.{number}" for number in range(1, nodes + 1)}
        self._port = port
        self._data_dir = data_dir
        self._environ = environ
        self._write_line = write_line
        self._meet = meet
        self._stopping = asyncio.Event()
        self._running: set[Process] = set()
        self._failed = False

    async def run(self, stop: asyncio.Event) -> int:
        """Run until `stop`, or until no node is left. Returns the exit code: 0 if all that ran at `stop` ended well."""
        async with self._meet(self._addresses.values()) as meeting:
            self._write_line(self._banner(meeting.words))
            lives = [asyncio.create_task(self._live(number, meeting.environment)) for number in self._addresses]
            stopped = asyncio.create_task(stop.wait())
            either: set[asyncio.Future[Any]] = {stopped, asyncio.gather(*lives)}
            try:
                await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            finally:
                stopped.cancel()
                await self._stop(lives)
        if stop.is_set():
            return 1 if self._failed else 0
        self._write_line("no node is left")
        return 1

    def kill(self) -> None:
        """End all nodes at once."""
        self._signal(signal.SIGKILL)

    async def _stop(self, lives: Sequence[asyncio.Task[None]]) -> None:
        self._stopping.set()
        self._signal(signal.SIGTERM)
        _, late = await asyncio.wait(lives, timeout=STOP_SECONDS)
        if late:
            self._write_line(f"{len(self._running)} nodes did not stop within {STOP_SECONDS:g} s and are killed")
            self.kill()
        await asyncio.gather(*lives)

    def _signal(self, what: signal.Signals) -> None:
        for process in self._running:
            with contextlib.suppress(ProcessLookupError):  # it has just ended
                process.send_signal(what)

    async def _live(self, number: int, meeting: dict[str, str]) -> None:
        own = self._environment(number) | meeting
        code = await self._execute(f"node {number} | ", own)
        if self._stopping.is_set():
            self._failed |= code not in _STOPPED
            return
        self._write_line(f"node {number} | run ended: {manner(code)}. To start the node again:")
        self._write_line(shlex.join(["env", *(f"{name}={value}" for name, value in own.items()), *_COMMAND]))

    async def _execute(self, prefix: str, own: Mapping[str, str]) -> int:
        """Run one node and pass its output on. Returns its exit code."""
        process = await asyncio.create_subprocess_exec(
            *_COMMAND,
            env={**self._environ, **own},
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=STDOUT,
            limit=LINE_BYTES,
            process_group=0,  # Ctrl-C in a terminal reaches us alone: a second signal would stop the nodes undrained
        )
        self._running.add(process)
        try:
            if self._stopping.is_set():
                process.terminate()
            self._write_line(f"{prefix}process {process.pid}")
            assert process.stdout is not None
            await self._pass_on(prefix, process.stdout)
            return await process.wait()
        finally:
            self._running.discard(process)

    async def _pass_on(self, prefix: str, output: asyncio.StreamReader) -> None:
        while True:
            try:
                line = await output.readline()
            except ValueError:
                line = b"(a line too long to show)\n"
            if not line:
                return
            self._write_line(prefix + line.decode("utf-8", "replace").rstrip("\r\n"))

    def _environment(self, number: int) -> dict[str, str]:
        """Return the variables that differ from node to node."""
        address = self._addresses[number]
        return {
            "PYTHONPATH": os.pathsep.join(filter(None, (str(_ROOT), self._environ.get("PYTHONPATH")))),
            "POD_IP": address,
            "METADATA_CENTER_HTTP_HOST": address,
            "METADATA_CENTER_HTTP_PORT": str(self._port),
            "METADATA_CENTER_PPROF_HOST": address,
            "METADATA_CENTER_PPROF_PORT": str(self._port + 1),
            "METADATA_CENTER_NODE_DATA_DIR": str(self._data_dir / f"node-{number}"),
            "REPLICA_CLIENT_TARGET_PORT": str(self._port),
            # With several nodes under load on one terminal nothing else could be read.
            ACCESS_OUTPUT: self._environ.get(ACCESS_OUTPUT) or "off",
        }

    def _banner(self, meeting: str) -> str:
        base = {number: f"http://{address}:{self._port}" for number, address in self._addresses.items()}
        lines = [f"Metadata Center {__version__}: {len(base)} nodes, {meeting}"]
        lines += [
            f"  node {number}  {base[number]}/  profiling http://{address}:{self._port + 1}/debug/pprof/"
            for number, address in self._addresses.items()
        ]
        lines.append(f"  replay  {program()} replay {' '.join(f'--target {each}' for each in base.values())}")
        lines.append("  Ctrl-C stops all")
        return "\n".join(lines)


def manner(code: int) -> str:
    """Return how a process ended, from its exit code."""
    return f"exit code {code}" if code >= 0 else signal.Signals(-code).name
