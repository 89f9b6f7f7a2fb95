# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Real nodes for tests: processes on loopback with their own folder, started the way a user starts them."""

from __future__ import annotations

import os
import signal
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from http.client import HTTPConnection, HTTPSConnection
from pathlib import Path
from queue import Empty, Queue
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Any

import msgspec

from metadata_center.accounts.database import SQLITE

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 120.0  # 2 on an idle machine; more than 60 where ten others were at work
CALL_SECONDS = 90.0  # an answer may take a minute by itself: a call that waits


def inherited_environment(*, covered: bool) -> dict[str, str]:
    """What a process of ours gets of this one's environment: no settings, and coverage only if it counts."""
    dropped = ("METADATA_CENTER",) if covered else ("METADATA_CENTER", "COVERAGE_")
    return {name: value for name, value in os.environ.items() if not name.startswith(dropped)}


@cache
def migrated_accounts() -> bytes:
    """The file of accounts that `manage.py migrate` makes."""
    with TemporaryDirectory() as folder:
        environment = inherited_environment(covered=False) | {"METADATA_CENTER_NODE_DATA_DIR": folder}
        command = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
        subprocess.run(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, check=True)
        (found,) = Path(folder).glob(f"{SQLITE}*")  # nothing is left in a journal
        return found.read_bytes()


def put_accounts(folder: Path) -> None:
    """Put migrated accounts into a node's new folder: to migrate them is a third of what a start costs."""
    if not (folder / SQLITE).exists():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / SQLITE).write_bytes(migrated_accounts())


class NodeProcess:
    """A server process and its output, line by line.

    `covered`: coverage sees the process too, where the tests run under it. That takes half as much time again for a
    start and twice as much for a busy node. So only nodes whose tests are about starting and stopping are covered.
    `source`: the checkout that it runs; another release's, where nodes of two are tested together.
    """

    def __init__(
        self,
        command: Sequence[str],
        folder: Path,
        environment: dict[str, str],
        *,
        covered: bool = True,
        source: Path = ROOT,
    ) -> None:
        inherited = inherited_environment(covered=covered)
        self.process = subprocess.Popen(
            [sys.executable, *command],
            cwd=source,
            env=inherited | {"METADATA_CENTER_NODE_DATA_DIR": str(folder), "PYTHONUNBUFFERED": "1"} | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.output: list[str] = []
        self._lines: Queue[str | None] = Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.host, self.port = "127.0.0.1", 0
        self.tls: ssl.SSLContext | None = None  # what it is called with

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.output.append(line)
            self._lines.put(line)
        self._lines.put(None)

    def wait_for(self, text: str, seconds: float = START_SECONDS) -> str:
        """The next line of output that holds `text`."""
        while True:
            try:
                line = self._lines.get(timeout=seconds)
            except Empty:
                raise AssertionError(f"no line with {text!r}:\n{''.join(self.output)}") from None
            if line is None:
                raise AssertionError(f"the process ended without {text!r}:\n{''.join(self.output)}")
            if text in line:
                return line

    def wait_said(self, text: str, seconds: float = START_SECONDS) -> str:
        """The first line of all its output that holds `text`, once it is there.

        What a node has done and what it says of it come on two ways: the answer may be here before the line.
        """
        ends = monotonic() + seconds
        while True:
            more = self._reader.is_alive() and monotonic() < ends
            if found := next((line for line in self.output if text in line), ""):
                return found
            assert more, f"no line with {text!r}:\n{''.join(self.output)}"
            self._reader.join(0.02)  # between two looks, not in place of one

    def call(
        self, method: str, target: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        """One request on a connection of its own: status, headers by lower-case name, body."""
        if self.tls is None:
            connection = HTTPConnection(self.host, self.port, timeout=CALL_SECONDS)
        else:
            connection = HTTPSConnection(self.host, self.port, timeout=CALL_SECONDS, context=self.tls)
        try:
            if body is not None and not isinstance(body, bytes):
                body = msgspec.json.encode(body)
            connection.request(method, target, body, headers or {})
            response = connection.getresponse()
            return response.status, {k.lower(): v for k, v in response.getheaders()}, response.read()
        finally:
            connection.close()

    def data(self, target: str) -> Any:
        """The envelope's data of a GET."""
        return msgspec.json.decode(self.call("GET", target)[2])["data"]

    def stop(self, signal_: signal.Signals = signal.SIGTERM, seconds: float = START_SECONDS) -> int:
        """End the process and return its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal_)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"it did not stop:\n{''.join(self.output)}") from None
        finally:
            self._reader.join(60)
            if self.process.stdout is not None:
                self.process.stdout.close()


@contextmanager
def running_node(
    folder: Path, *, covered: bool = False, new: bool = False, **environment: str
) -> Iterator[NodeProcess]:
    """A node by `manage.py run` on a free port of 127.0.0.1, ready for requests.

    Its accounts are migrated already, except where its start is what is tested: if it is `covered` or `new`.
    """
    if not (covered or new):
        put_accounts(folder)
    defaults = {
        "POD_IP": "127.0.0.1",
        "METADATA_CENTER_HTTP_HOST": "127.0.0.1",
        "METADATA_CENTER_HTTP_PORT": "0",
        "METADATA_CENTER_PPROF_PORT": "0",
    }
    node = NodeProcess(["manage.py", "run"], folder, defaults | environment, covered=covered)
    try:
        line = node.wait_for("  API ")
        node.port = int(line.split(":")[-1].split("/")[0])
        yield node
    finally:
        node.stop()
