# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Where a call with a slash too many belongs. The Go version redirects it, and so do all doors. Pure."""

from __future__ import annotations

from typing import NamedTuple

from edge.call import Table

METRICS = "/metrics"  # the one call that is in no table: Django answers it


class Redirect(NamedTuple):
    """`status`: 301 for GET, else 307, which keeps method and body. `location`: path and query."""

    status: int
    location: str


def find_redirect(table: Table, method: str, path: str, query: str) -> Redirect | None:
    """Return where `path` leads to if it is a call's but for one slash at its end. `path` is percent-decoded."""
    bare = path[:-1]
    if not path.endswith("/") or not (bare == METRICS or table.has(bare)):
        return None
    return Redirect(301 if method == "GET" else 307, f"{bare}?{query}" if query else bare)
