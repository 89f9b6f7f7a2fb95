# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Finds this node among the hosts of a look-up. Immutable; any thread may call."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Final

from discovery.host import Host
from runtime.config.endpoint import canonical_address
from runtime.config.error import ConfigError

# Addresses that no machine has: IPv4's dummy address (RFC 7600), IPv6's discard prefix (RFC 6666).
UNUSED_ADDRESSES: Final = ("192.0.0.8", "100::1")


def is_local(address: str) -> bool:
    """Return whether this machine has the IP address, loopback included. The kernel lets only those be bound.

    Each call asks the kernel, so addresses that were added or removed since the start are judged right.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((address, 0))
    except OSError:
        return False
    return True


class Own:
    """Whether a host is this node: by its own address, or by all of the machine's if that is empty.

    A host with a port is this node only if the port is its own, too: several nodes may share an address.
    """

    def __init__(self, address: str, port: int, *, is_local: Callable[[str], bool] = is_local) -> None:
        """Raises ConfigError if the address is empty on a machine that lets any address be bound."""
        self._address = canonical_address(address) if address else ""
        self._port = port
        self._is_local = is_local
        if not address and any(map(is_local, UNUSED_ADDRESSES)):
            raise ConfigError(
                "[Node] Address: must be set (POD_IP) on a machine that lets any address be bound (ip_nonlocal_bind):"
                " its own can't be told apart from the others"
            )

    def __call__(self, host: Host) -> bool:
        if host.port not in {None, self._port}:
            return False
        return host.address == self._address if self._address else self._is_local(host.address)
