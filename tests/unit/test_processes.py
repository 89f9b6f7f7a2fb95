# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What tests ask of processes holds whether they run, have just ended or are long gone."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.nodes import inherited_environment
from tests.processes import ProcessIdentity, children, count_sockets, cpu_seconds, handles, send_signal

READS = "import sys; print('up', flush=True); sys.stdin.read()"


@pytest.fixture
def process() -> Iterator[subprocess.Popen[str]]:
    """One that runs until its input ends. Coverage, which handles signals, does not watch it."""
    command, environment = [sys.executable, "-c", READS], inherited_environment(covered=False)
    with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as it:
        assert it.stdout is not None
        assert it.stdout.readline() == "up\n"
        yield it


def test_one_that_runs(process: subprocess.Popen[str]) -> None:
    identity = ProcessIdentity.of(process.pid)
    assert identity.is_alive()
    assert process.pid in children(os.getpid())
    assert cpu_seconds(process.pid) >= 0
    assert handles(process.pid, signal.SIGINT)
    assert not handles(process.pid, signal.SIGTERM)
    assert send_signal(process.pid, signal.SIGTERM)
    assert process.wait(60) == -signal.SIGTERM


def test_one_that_has_ended(process: subprocess.Popen[str]) -> None:
    identity = ProcessIdentity.of(process.pid)
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and its end is still to be asked for
    assert not identity.is_alive()
    assert children(process.pid) == []
    assert count_sockets(process.pid) == 0
    assert send_signal(process.pid, signal.SIGTERM)
    process.wait(60)
    assert not identity.is_alive()
    assert not send_signal(process.pid, signal.SIGTERM)
    assert (children(process.pid), count_sockets(process.pid), cpu_seconds(process.pid)) == ([], 0, 0.0)
    assert not handles(process.pid, signal.SIGINT)
    with pytest.raises(ProcessLookupError):
        ProcessIdentity.of(process.pid)


def test_one_that_got_the_number_of_another_is_another() -> None:
    own = ProcessIdentity.of(os.getpid())
    assert own.is_alive()
    assert not own._replace(started=own.started - 1).is_alive()


def test_sockets_are_counted() -> None:
    before = count_sockets(os.getpid())
    with socket.socket():
        assert count_sockets(os.getpid()) == before + 1
