# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The rows of the console's tables, for files. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from msgspec import Struct
from msgspec.structs import asdict

from console.nodes import Peer
from loadstats.ledger import SIGNALS, ClusterTotals, RequestView, Row

CLUSTER_MEMBERS = ("cluster", "engines", *SIGNALS)
ENGINE_MEMBERS = ("cluster", "engine", *SIGNALS, "updated")
PEER_MEMBERS = Peer.__struct_fields__
REQUEST_MEMBERS = RequestView.__struct_fields__


def cluster_rows(totals: Iterable[ClusterTotals], names: Iterable[str]) -> Iterator[dict[str, Any]]:
    """Yield the sums of the clusters of these names, in their order."""
    by_name = {each.cluster: each for each in totals}
    for name in names:
        if (each := by_name.get(name)) is not None:
            yield {member: getattr(each, member) for member in CLUSTER_MEMBERS}


def engine_rows(cluster: str, rows: Iterable[Row]) -> Iterator[dict[str, Any]]:
    """Yield engines with their signals, and when they changed last."""
    for row in rows:
        numbers = {name: getattr(row, name) for name in SIGNALS}
        updated = datetime.fromtimestamp(row.updated_time / 1e9, UTC).isoformat(timespec="milliseconds")
        yield {"cluster": cluster, "engine": row.engine, **numbers, "updated": updated}


def struct_rows(structs: Iterable[Struct]) -> Iterator[dict[str, Any]]:
    """Yield structs with all their members."""
    for each in structs:
        yield asdict(each)
