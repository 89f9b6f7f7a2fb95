# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Which gateway a request is of, as far as this node knows. Pure; the caller holds the ledger's lock."""

from __future__ import annotations

from typing import Literal

from loadstats.ledger.record import Record

GatewayKind = Literal["owner", "client", "node"]
"""What a gateway is known by: the name that its requests carry; the client of this node that reported requests without
an owner; another node that took requests without an owner, and knows their clients."""

GatewayKey = tuple[GatewayKind, str]
"""What a gateway is known by, and its name."""


def gateway_of(record: Record) -> GatewayKey:
    """Return the owner of a request, else the client that reported it here, else the node that took its add."""
    extras = record.extras
    if extras is not None and extras.owner is not None:
        return "owner", extras.owner.name
    if record.client is not None:
        return "client", record.client.name
    return "node", "" if record.origin is None else record.origin.name.rpartition("@")[0]
