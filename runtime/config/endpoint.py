# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""An address with or without a port, as people write it: `10.0.0.7`, `10.0.0.7:80`, `fd00::7`, `[fd00::7]:80`. Pure."""

from __future__ import annotations

import re
from ipaddress import IPv6Address, ip_address

# An IPv6 address in brackets, or an IPv4 address, and a port.
_WITH_PORT = re.compile(r"(?:\[(.*:.*)\]|([0-9.]+)):([0-9]{1,5})")


def canonical_address(text: str) -> str:
    """Return an IP address in its one written form, so that two can be compared.

    An IPv4 address mapped to IPv6 (`::ffff:10.0.0.7`) becomes the IPv4 address. Raises ValueError for anything but an
    IP address.
    """
    address = ip_address(text)
    return str((address.ipv4_mapped if isinstance(address, IPv6Address) else None) or address)


def parse_endpoint(text: str) -> tuple[str, int | None]:
    """Return the canonical address, and the port or None. Raises ValueError for anything else, such as a name."""
    match = _WITH_PORT.fullmatch(text)
    if match is None:
        return canonical_address(text), None
    v6, v4, digits = match.groups()
    port = int(digits)
    if not 1 <= port <= 65535:
        raise ValueError(f"not a port: {digits}")
    return canonical_address(v6 or v4), port
