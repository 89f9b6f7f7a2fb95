# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What the history keeps of a cluster and of an engine at each step: the signals, and for a cluster a few more. Pure.

A new signal is kept without more code. Copies travel with the names of their columns, so releases may differ in them.
"""

from __future__ import annotations

from typing import Final, Literal

from msgspec import Struct

from loadstats.ledger import SIGNALS


class Column(Struct, frozen=True):
    """One number of a step.

    `name`: as answers call it.
    `description`: what it counts, for the API's schema.
    `join`: how clusters are taken together. Over time, sums become means.
    """

    name: str
    description: str
    join: Literal["sum", "max", "min"] = "sum"


ENGINE_COLUMNS: Final = tuple(Column(name, signal.description) for name, signal in SIGNALS.items())
"""Of an engine: the signals."""

CLUSTER_COLUMNS: Final = (
    *ENGINE_COLUMNS,
    Column("engines", "engines that are listed"),
    Column("stale_engines", "engines with requests whose row did not change for a quarter of RequestExpire"),
    Column("starts_per_second", "requests that started"),
    Column("ends_per_second", "requests that ended, for whatever cause"),
    Column("max_queued_req_num", "requests of the busiest engine", "max"),
    Column("min_queued_req_num", "requests of the idlest engine", "min"),
)
"""Of a cluster, and of all of them together."""

RATES: Final = ("starts_per_second", "ends_per_second")
"""The columns that are 0 while nothing changes."""
