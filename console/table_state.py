# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""How a person sorted and narrowed a table, by its page's URL. The scripts write the same parameters (`address.js`).

`?sort=COLUMN&order=asc&filter=TEXT&only=KIND`. A value that means nothing is as if it were not there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import Any

from msgspec import Struct

from console.load import busiest_first
from console.signal_column import columns
from edge.body import MAX_NAME
from edge.typed_engine import as_part, typed_engines
from loadstats.ledger import ClusterTotals, Row

KINDS = ("busy", "idle", "stale", "orphaned")


class TableState(Struct, frozen=True):
    """What a table shows and in which order.

    `sort`: the column's key; empty for the page's own order.
    `falling`: the largest first.
    `filter`: a part of the names that are shown; empty for all.
    `only`: which engines are shown, one of `KINDS`; empty for all.
    """

    sort: str = ""
    falling: bool = True
    filter: str = ""
    only: str = ""

    @classmethod
    def of(cls, query: Mapping[str, Any]) -> TableState:
        """Return the state that a query string asks for."""
        sort, only = str(query.get("sort", "")), str(query.get("only", ""))
        falling = str(query.get("order", "asc" if sort == "name" else "desc")) != "asc"
        return cls(sort, falling, str(query.get("filter", ""))[:MAX_NAME].strip(), only if only in KINDS else "")

    def engines(self, rows: Sequence[Row], is_stale: Callable[[Row], bool]) -> list[Row]:
        """Return the rows to show, in order."""
        passed = [row for row in rows if self._shows(row, is_stale)]
        values: dict[str, Callable[[Any], Any]] = {each.key: attrgetter(each.member) for each in columns()}
        values |= {"name": attrgetter("engine"), "age": lambda row: -row.updated_time}
        value = values.get(self.sort)
        if value is None:
            return busiest_first(passed)
        return sorted(sorted(passed, key=attrgetter("engine")), key=value, reverse=self.falling)

    def names(self, names: Sequence[str]) -> list[str]:
        """Return the clusters to show, in the order in which they came."""
        part = self.filter.lower()
        return [name for name in names if part in name.lower()]

    def clusters(self, totals: Sequence[ClusterTotals]) -> list[str]:
        """Return the names of clusters in the order of a column; by name if there is no such column."""
        values: dict[str, Callable[[Any], Any]] = {column.key: attrgetter(column.member) for column in columns()}
        values |= {"engines": attrgetter("engines")}
        by_name = sorted(totals, key=attrgetter("cluster"), reverse=self.falling and self.sort == "name")
        value = values.get(self.sort)
        ordered = by_name if value is None else sorted(by_name, key=value, reverse=self.falling)
        return [each.cluster for each in ordered]

    def _shows(self, row: Row, is_stale: Callable[[Row], bool]) -> bool:
        if self.filter:
            name = row.engine
            if as_part(self.filter) not in name and name not in map(str, typed_engines(self.filter)):
                return False
        match self.only:
            case "busy":
                return row.queued_req_num > 0
            case "idle":
                return row.queued_req_num == 0
            case "stale":
                return is_stale(row)
            case "orphaned":
                return row.orphaned_req_num > 0
        return True
