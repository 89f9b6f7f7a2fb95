# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Which of the hosts that were found is this node itself. Immutable; any thread may ask."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Final

from discovery.host import Host
from runtime.config.endpoint import canonical_address
from runtime.config.error import ConfigError

# No machine's address, ever: IPv4's dummy address (RFC 7600), IPv6's discard prefix (RFC 6666).
NOBODY: Final = ("192.0.0.8", "100::1")


def is_local(address: str) -> bool:
    """Whether this machine has the IP address, loopback included: the kernel lets only those be bound.

    It asks for each address anew, so one that came or went since the start is judged rightly.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((address, 0))
    except OSError:
        return False
    return True


class Own:
    """By the node's own address, or by all of the machine's where that is empty.

    A host with a port is this node only where the port is its own too: several nodes may share an address.
    """

    def __init__(self, address: str, port: int, *, is_local: Callable[[str], bool] = is_local) -> None:
        """Raises ConfigError where the address is needed and missing."""
        self._address = canonical_address(address) if address else ""
        self._port = port
        self._is_local = is_local
        if not address and any(map(is_local, NOBODY)):
            raise ConfigError(
                "[Node] Address: must be set (POD_IP) on a machine that lets any address be bound (ip_nonlocal_bind):"
                " its own can't be told from others"
            )

    def __call__(self, host: Host) -> bool:
        if host.port not in {None, self._port}:
            return False
        return host.address == self._address if self._address else self._is_local(host.address)
