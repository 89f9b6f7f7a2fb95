# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""An address with or without a port, as people write it: `10.0.0.7`, `10.0.0.7:80`, `fd00::7`, `[fd00::7]:80`. Pure."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, ip_address

_WITH_PORT = re.compile(r"(?:\[(.+)\]|([0-9.]+)):([0-9]{1,5})")


def canonical_address(text: str) -> str:
    """The one way an IP address is written here, so that two can be compared; an IPv4 address in IPv6's clothes
    (`::ffff:10.0.0.7`) is the IPv4 address. `ValueError` for what is none.
    """
    address = ip_address(text)
    return str((address.ipv4_mapped if isinstance(address, IPv6Address) else None) or address)


def parse_endpoint(text: str) -> tuple[str, int | None]:
    """Canonical address and port, None where there is none. `ValueError` for anything else, such as a name."""
    match = _WITH_PORT.fullmatch(text)
    if match is None:
        return canonical_address(text), None
    v6, v4, digits = match.groups()
    port = int(digits)
    if not 1 <= port <= 65535:
        raise ValueError(f"not a port: {digits}")
    return canonical_address(str(IPv6Address(v6) if v6 else IPv4Address(v4))), port
