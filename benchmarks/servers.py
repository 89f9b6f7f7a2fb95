# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The measured servers, each a process: nodes and the floor. A server ends with its context."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from time import monotonic, sleep

from prometheus_client.parser import text_string_to_metric_families

from benchmarks.machine import cores, pinned

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 60.0
STOP_SECONDS = 20.0


class ServerFailed(Exception):
    """A server did not start, or ended."""


class MeasuredNode:
    """A running node. Everything that is on by default is on: access log, metrics, trace ids."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, access_log: Path) -> None:
        self.pid = process.pid
        self.port = port
        self._access_log = access_log

    def forget_log(self) -> None:
        """Empty the access log: a run writes more than a disk should hold."""
        os.truncate(self._access_log, 0)

    def get(self, target: str) -> bytes:
        """The whole answer to a GET on a connection of its own."""
        return call(self.port, b"GET %b HTTP/1.1\r\nHost: n\r\n\r\n" % target.encode())

    def body(self, target: str) -> bytes:
        """The body of the answer to a GET, chunked or not."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("GET", target)
            return connection.getresponse().read()
        finally:
            connection.close()

    def calls(self) -> Counter[tuple[str, ...]]:
        """Calls answered so far, by method and status."""
        return self._samples("metadata_center_http_requests_total", "method", "status")

    def events(self) -> Counter[str]:
        """What happened in the ledger so far, by event."""
        return Counter(
            {event: n for (event,), n in self._samples("metadata_center_ledger_events_total", "event").items()}
        )

    def records(self) -> Counter[str]:
        """What the ledger holds, by state."""
        return Counter({state: n for (state,), n in self._samples("metadata_center_ledger_records", "state").items()})

    def fell_back(self) -> int:
        """How often a socket was given a snapshot in place of what it missed."""
        return self._samples("metadata_center_socket_fell_back_total")[()]

    def metrics(self, prefix: str) -> dict[str, float]:
        """Metrics without labels, by what follows the prefix of their names."""
        return {
            sample.name.removeprefix(prefix): sample.value
            for family in text_string_to_metric_families(self.body("/metrics").decode())
            for sample in family.samples
            if sample.name.startswith(prefix) and not sample.labels
        }

    def _samples(self, name: str, *labels: str) -> Counter[tuple[str, ...]]:
        found: Counter[tuple[str, ...]] = Counter()
        for family in text_string_to_metric_families(self.body("/metrics").decode()):
            for sample in family.samples:
                if sample.name == name:
                    found[tuple(sample.labels[label] for label in labels)] += int(sample.value)
        return found


def call(port: int, request: bytes, seconds: float = 30.0) -> bytes:
    """Return the whole answer to one request, which must have a Content-Length."""
    with socket.create_connection(("127.0.0.1", port), timeout=seconds) as connection:
        connection.sendall(request)
        data = b""
        while not complete(data):
            part = connection.recv(1 << 20)
            if not part:
                raise ServerFailed(f"port {port} closed the connection after {len(data)} bytes")
            data += part
    return data


def complete(data: bytes) -> bool:
    """Whether `data` holds a whole answer."""
    head, found, body = data.partition(b"\r\n\r\n")
    if not found:
        return False
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return len(body) >= int(value)
    raise ServerFailed(f"an answer without Content-Length: {head!r}")


class Servers:
    """Starts servers on one core. `folder` takes what they write; it is the caller's to remove."""

    def __init__(self, folder: Path, core: int) -> None:
        self._folder = folder
        self._core = core

    def beside(self, name: str, core: int | None) -> Servers:
        """More servers, with a folder of their own; on the load's core where `core` is None."""
        return Servers(self.folder(name), cores()[1] if core is None else core)

    def folder(self, name: str) -> Path:
        """Return a new folder beside these servers' own."""
        found = self._folder / name
        found.mkdir()
        return found

    def output(self) -> str:
        """What the last node has said so far."""
        return (self._folder / "node.out").read_text()

    def manage(self, *words: str, **environment: str) -> None:
        """Run a management command on the nodes' database."""
        subprocess.run(
            [sys.executable, "manage.py", *words],
            cwd=ROOT,
            env=self._environment() | environment,
            stdin=subprocess.DEVNULL,
            check=True,
            timeout=120,
        )

    def _environment(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("METADATA_CENTER")}
        return inherited | {"METADATA_CENTER_NODE_DATA_DIR": str(self._folder / "data")}

    @contextmanager
    def node(self, **settings: str) -> Iterator[MeasuredNode]:
        """A node, ready for requests; `settings` are environment variables. It begins with nothing."""
        shutil.rmtree(self._folder / "data" / "snapshot", ignore_errors=True)
        access_log = self._folder / "access.log"
        environment = self._environment() | {
            "POD_IP": "127.0.0.1",
            "METADATA_CENTER_HTTP_HOST": "127.0.0.1",
            "METADATA_CENTER_HTTP_PORT": "0",
            "METADATA_CENTER_PPROF_PORT": "0",
            "METADATA_CENTER_LOG_ACCESS_OUTPUT": "file",
            "METADATA_CENTER_LOG_ACCESS_OUTPUT_FILE": str(access_log),
        }
        environment |= settings
        said = self._folder / "node.out"
        with self._process(["manage.py", "run", "-c", "configs/config.toml"], said, environment) as process:
            line = _wait_for(process, said, "  API ")
            port = int(line.rpartition(":")[2].partition("/")[0])
            try:
                yield MeasuredNode(process, port, access_log)
            finally:
                access_log.unlink(missing_ok=True)

    @contextmanager
    def floor(self, sizes: Sequence[int]) -> Iterator[tuple[int, list[int]]]:
        """The floor server's pid, and a port for each size of answer."""
        said = self._folder / "floor.out"
        command = ["-m", "benchmarks.floor", *map(str, sizes)]
        with self._process(command, said, dict(os.environ)) as process:
            yield process.pid, [int(port) for port in _wait_for(process, said, "ports ").split()[1:]]

    @contextmanager
    def _process(
        self, command: Sequence[str], said: Path, environment: dict[str, str]
    ) -> Iterator[subprocess.Popen[bytes]]:
        with said.open("wb") as output, pinned(self._core):
            process = subprocess.Popen(
                [sys.executable, *command],
                cwd=ROOT,
                env=environment | {"PYTHONUNBUFFERED": "1"},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            yield process
            if process.poll() is not None:
                raise ServerFailed(f"{' '.join(command)} ended:\n{said.read_text()[-2000:]}")
        finally:
            end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process that was started here. One that does not stop is killed."""
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _wait_for(process: subprocess.Popen[bytes], said: Path, text: str) -> str:
    """The whole line of output that holds `text`."""
    ends = monotonic() + START_SECONDS
    while monotonic() < ends and process.poll() is None:
        for line in said.read_text().splitlines(keepends=True):
            if text in line and line.endswith("\n"):
                return line
        sleep(0.05)
    raise ServerFailed(f"no {text!r} within {START_SECONDS:g} s:\n{said.read_text()[-2000:]}")
