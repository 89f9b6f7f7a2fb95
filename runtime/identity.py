# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Which node this process is. Immutable."""

from __future__ import annotations

from msgspec import Struct

from runtime.config.endpoint import canonical_address


class Identity(Struct, frozen=True):
    """One node.

    `name`: its address and port, as peers and pages call it.
    `version`: the service's version.
    """

    name: str
    version: str


def node_name(host: str, port: int) -> str:
    """Return the name of the node at an address, as its peers write it, or on a machine of a name."""
    try:
        address = canonical_address(host)
    except ValueError:
        address = host
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
