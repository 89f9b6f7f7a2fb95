# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""A real PostgreSQL for tests: a cluster of its own in a new folder, on a free port of loopback.

PostgreSQL refuses to run as root. Where the tests do, its processes run as the user that Debian's package makes.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

import pytest

from tests.ports import free_port
from tests.processes import children, send_signal

USER = "metadata"
PASSWORD = "p@ss/word?#:%"
IN_URL = "p%40ss%2Fword%3F%23%3A%25"
START_SECONDS = 120.0


def _program(name: str) -> str | None:
    """The newest of Debian's, which are not on the search path, else what is."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: float(path.parts[4]))
    return str(found[-1]) if found else shutil.which(name)


class Postgres:
    """A server that can be stopped, frozen and killed.

    `port`: where it listens, also after a restart.
    """

    def __init__(self, folder: Path, programs: dict[str, str], account: pwd.struct_passwd | None) -> None:
        self.port = free_port()
        self._folder = folder
        self._programs = programs
        self._account = account
        self._process: subprocess.Popen[bytes] | None = None

    def url(self, database: str, *, options: str = "", host: str = "127.0.0.1") -> str:
        """What `[Web] Database` takes."""
        return f"postgres://{USER}:{IN_URL}@{host}:{self.port}/{database}{options}"

    def initialize(self) -> None:
        """Make the cluster. A password is wanted of everyone who comes over TCP."""
        secret = self._folder / "password"
        secret.write_text(PASSWORD)
        data = self._folder / "data"
        self._run(
            "initdb",
            "-D",
            str(data),
            "-U",
            USER,
            f"--pwfile={secret}",
            "-A",
            "scram-sha-256",
            "--no-sync",
            "-E",
            "UTF8",
        )
        with (data / "postgresql.conf").open("a") as file:
            file.write(
                f"listen_addresses = '127.0.0.1'\nport = {self.port}\nunix_socket_directories = ''\nfsync = off\n"
            )

    def start(self, *settings: str) -> None:
        """Start it and wait until it answers."""
        words = [self._programs["postgres"], "-D", str(self._folder / "data"), *(f"-c{each}" for each in settings)]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(words, stdout=log, stderr=log, process_group=0, **self._as_user())
        wait_for(lambda: self._answers("postgres"), START_SECONDS, (self._folder / "log").read_text)

    def stop(self) -> None:
        """Stop it as an operator does in a hurry: connections are ended."""
        self._signal(signal.SIGINT)
        if self._process is not None:
            self._process.wait(START_SECONDS)
            self._process = None

    def kill(self) -> None:
        """End all its processes at once."""
        if self._process is not None:
            self.freeze()  # nothing may begin while the signals go out
            self._signal_each(signal.SIGKILL)
            self._process.wait(START_SECONDS)
            self._process = None

    def freeze(self) -> None:
        """Make it hang: connections stand, new ones are taken by the kernel, nothing is answered."""
        self._signal(signal.SIGSTOP)
        self._signal_each(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._signal_each(signal.SIGCONT)

    def heal(self) -> None:
        """Have it run, whatever was done to it."""
        if self._process is None:
            self.start()
        self.thaw()

    @contextmanager
    def session(self, database: str) -> Iterator[Callable[[str], None]]:
        """A connection of its own, which stays: a function that sends statements and waits until they are done."""
        words = [self._programs["psql"], "-d", self.url(database), "-At", "-v", "ON_ERROR_STOP=1"]
        with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            commands, answers = process.stdin, process.stdout

            def send(statements: str) -> None:
                commands.write(f"{statements}\n\\echo done\n")
                commands.flush()
                while answers.readline() not in {"done\n", ""}:
                    pass

            yield send

    def execute(self, statement: str, database: str = "postgres") -> str:
        """What a statement answers."""
        words = ["-d", self.url(database), "-Atc", statement, "-v", "ON_ERROR_STOP=1"]
        return self._run("psql", *words, PGCONNECT_TIMEOUT="10").strip()

    def _answers(self, database: str) -> bool:
        ready = subprocess.run(
            [self._programs["psql"], "-d", self.url(database), "-Atc", "SELECT 1"], capture_output=True, check=False
        )
        return ready.returncode == 0

    def _pids(self) -> list[int]:
        """The server's and those of its children."""
        assert self._process is not None
        return [self._process.pid, *children(self._process.pid)]

    def _signal_each(self, number: signal.Signals) -> None:
        for pid in self._pids():
            send_signal(pid, number)  # a connection's process may have ended with it, after the look

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    def _run(self, program: str, *words: str, **environment: str) -> str:
        done = subprocess.run(
            [self._programs[program], *words],
            env=os.environ | environment,
            capture_output=True,
            text=True,
            check=False,
            **self._as_user(),
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def _as_user(self) -> dict[str, int | Sequence[int]]:
        if self._account is None:
            return {}
        return {"user": self._account.pw_uid, "group": self._account.pw_gid, "extra_groups": []}


def wait_for(condition: Callable[[], bool], seconds: float, why: Callable[[], str]) -> None:
    """Wait until it holds."""
    ends = monotonic() + seconds
    while not condition():
        assert monotonic() < ends, why()
        sleep(0.05)  # between two looks, not in place of one


@contextmanager
def running_postgres() -> Iterator[Postgres]:
    """A server that runs. Skips the test where there is none to run, or none to run it as."""
    found = {name: _program(name) for name in ("initdb", "postgres", "psql")}
    programs = {name: path for name, path in found.items() if path is not None}
    if len(programs) < len(found):
        pytest.skip("needs PostgreSQL: Debian's package postgresql (requirements/debian.txt)")
    account = None
    if os.geteuid() == 0:
        names = {each.pw_name: each for each in pwd.getpwall()}
        account = names.get("postgres") or names.get("nobody")
        if account is None:
            pytest.skip("PostgreSQL does not run as root, and there is no user postgres or nobody to run it as")
    # Not in pytest's folder, which only root may enter.
    with tempfile.TemporaryDirectory(prefix="metadata-center-postgres-") as folder:
        if account is not None:
            os.chown(folder, account.pw_uid, account.pw_gid)
        server = Postgres(Path(folder), programs, account)
        server.initialize()
        try:
            server.start()
            yield server
        finally:
            server.kill()
