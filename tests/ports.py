# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Ports for servers that a test starts and cannot hand a socket or a port of 0.

Always holds: a port that a process of tests has got is its own until it ends. Another process of the tests is not given
it between the choice and the server's start, nor while the server is down. Nor is a later test, which the peers and
clients of an earlier one might still call.
"""

from __future__ import annotations

import fcntl
import os
import socket
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from random import SystemRandom

# Below every system's range for outgoing connections (Linux: 32768 and on). From within it, a port that is free now may
# be a client's a moment later, and a server that begins anew at its old port finds it taken.
FIRST, LAST = 20_000, 32_000
OF_CLIENTS = Path("/proc/sys/net/ipv4/ip_local_port_range")


class Reservations:
    """Ports that this process has for itself, among all processes of tests of this user.

    `file`: each byte of it stands for a port. The kernel gives back what a process has locked when it ends.
    """

    def __init__(self, file: Path) -> None:
        self._file = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
        self._own: set[int] = set()

    def take(self, ports: Iterable[int]) -> bool:
        """Take these ports. Returns False if one of them is taken already; the others are as good as taken then."""
        return all(map(self._take, ports))

    def _take(self, port: int) -> bool:
        if port in self._own:  # the kernel does not keep a process from what it has locked
            return False
        try:
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
        except OSError:
            return False
        self._own.add(port)
        return True


@cache
def reservations() -> Reservations:
    """Those of this process."""
    return Reservations(Path(tempfile.gettempdir()) / f"metadata-center-test-ports-{os.getuid()}")


def choices(count: int, of_clients: tuple[int, int]) -> list[int]:
    """Where `count` ports in a row may begin: where the system gives none to outgoing connections, if there is room."""
    low, high = of_clients
    every = range(FIRST, LAST - count)
    return [first for first in every if not (first <= high and first + count > low)] or list(every)


def range_of_clients() -> tuple[int, int]:
    """The first and the last port that the system gives to outgoing connections."""
    try:
        first, last = map(int, OF_CLIENTS.read_text().split())
    except (OSError, ValueError):  # not Linux
        return LAST, 65_535
    return first, last


def free_port(addresses: Iterable[str] = ("127.0.0.1",), *, count: int = 1) -> int:
    """The first of `count` ports in a row that are free on all of the addresses, for TCP and for UDP.

    They are this process's own until it ends.
    """
    places = list(addresses)
    firsts = choices(count, range_of_clients())
    for _ in range(200):
        first = SystemRandom().choice(firsts)
        ports = range(first, first + count)
        if not reservations().take(ports):
            continue
        with ExitStack() as taken:
            try:
                for address in places:
                    for port in ports:
                        taken.enter_context(socket.create_server((address, port)))
                        taken.enter_context(socket.socket(type=socket.SOCK_DGRAM)).bind((address, port))
            except OSError:
                continue
            return first
    raise AssertionError(f"no port is free on all of {', '.join(places)}")


@contextmanager
def closed_port(address: str = "127.0.0.1") -> Iterator[int]:
    """A port where connections are refused, and that no other server gets meanwhile."""
    with socket.socket() as bound:
        bound.bind((address, 0))
        yield bound.getsockname()[1]
