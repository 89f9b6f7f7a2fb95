# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Ports for servers that a test starts and cannot hand a socket or a port of 0."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from contextlib import ExitStack
from random import SystemRandom

# Below every system's range for outgoing connections (Linux: 32768 and on). From within it, a port that is free now may
# be a client's a moment later, and a server that begins anew at its old port finds it taken.
FIRST, LAST = 20_000, 32_000


def free_port(addresses: Iterable[str] = ("127.0.0.1",), *, count: int = 1) -> int:
    """The first of `count` ports in a row that are free on all of the addresses, for TCP and for UDP."""
    places = list(addresses)
    for _ in range(200):
        first = SystemRandom().randrange(FIRST, LAST)
        with ExitStack() as taken:
            try:
                for address in places:
                    for port in range(first, first + count):
                        taken.enter_context(socket.create_server((address, port)))
                        taken.enter_context(socket.socket(type=socket.SOCK_DGRAM)).bind((address, port))
            except OSError:
                continue
            return first
    raise AssertionError(f"no port is free on all of {', '.join(places)}")
