# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The ports that tests give to servers: no two tests get the same, and no client of the system does."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.nodes import ROOT, START_SECONDS
from tests.ports import FIRST, LAST, Reservations, choices, closed_port, free_port, range_of_clients

OTHER = """
import sys
from pathlib import Path
from tests.ports import Reservations
reservations = Reservations(Path(sys.argv[1]))
print([reservations.take([port]) for port in (7000, 7001)], flush=True)
sys.stdin.read()
"""


def other(file: Path) -> subprocess.Popen[str]:
    """Another process of tests, which takes two ports and holds them until it ends."""
    command = [sys.executable, "-c", OTHER, str(file)]
    return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_a_port_is_one_processes_own_until_that_ends(tmp_path: Path) -> None:
    file = tmp_path / "ports"
    own = Reservations(file)
    assert own.take([7000])
    with other(file) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "[False, True]\n"
        assert not own.take([7001])
        assert own.take([7002, 7003])
        process.communicate(timeout=START_SECONDS)
    assert own.take([7001])


def test_a_port_is_given_to_one_test_of_a_process(tmp_path: Path) -> None:
    own = Reservations(tmp_path / "ports")
    assert own.take([7000, 7001])
    assert not own.take([7001, 7002])


def test_a_free_port_is_no_port_of_clients_and_is_given_once() -> None:
    ports = [free_port(count=2) for _ in range(20)]
    every = [port + more for port in ports for more in (0, 1)]
    assert len(set(every)) == 40
    low, high = range_of_clients()
    if low > LAST:
        assert all(FIRST <= port < LAST and not low <= port <= high for port in every)


@pytest.mark.parametrize(
    ("of_clients", "expected"),
    [
        ((32_768, 60_999), range(FIRST, LAST - 3)),
        ((1024, 25_000), range(25_001, LAST - 3)),
        ((25_000, 40_000), range(FIRST, 24_998)),
        ((1024, 65_535), range(FIRST, LAST - 3)),  # there is no room elsewhere
    ],
)
def test_ports_are_chosen_outside_of_the_range_of_clients(of_clients: tuple[int, int], expected: range) -> None:
    assert choices(3, of_clients) == list(expected)


def test_a_closed_port_refuses_and_stays_taken() -> None:
    with closed_port() as port:
        with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port), 60):
            pass
        with pytest.raises(OSError, match="in use"), socket.create_server(("127.0.0.1", port)):
            pass
