# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""A record whose add named its gateway's incarnation, as it travels between nodes. Immutable.

It has members of its own, so that the copies of all other records keep their bytes.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta
from msgspec.structs import asdict

from loadstats.ledger.copy import RequestCopy
from loadstats.ledger.event import LATEST_MS
from loadstats.ledger.record import Record


class IncarnationCopy(RequestCopy, frozen=True, array_like=True, gc=False):
    """Any copy that comes from a peer is read as one.

    `incarnation`: the incarnation that the add named; empty for none.
    `since_ms`: when that was first seen.
    """

    incarnation: Annotated[str, Meta(max_length=64)] = ""
    since_ms: Annotated[int, Meta(ge=0, le=LATEST_MS)] = 0


def copy_of(record: Record, tick: int) -> RequestCopy:
    """Return the copy of a record at a tick."""
    copy = RequestCopy.of(record, tick)
    extras = record.extras
    if extras is None or (incarnation := extras.incarnation) is None:
        return copy
    return IncarnationCopy(**asdict(copy), incarnation=incarnation.name, since_ms=incarnation.since_ms)
