# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What a key grants, from either source, and the rules for its parts. Any thread may read a grant.

`KeyRing` alone sets `used`. The source that stores the use clears it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from re import compile as regex

from msgspec import Struct

from edge.caller import Caller, Scope
from runtime.config.error import did_you_mean, shown

NAME = regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
NAME_RULE = "1 to 64 letters, digits, dots, dashes and underscores, the first a letter or a digit"
MAX_GLOB = 256  # characters, as of a cluster's name
MAX_GLOBS = 64
CALLER_PREFIX = "key "


class Grant(Struct, eq=False):
    """One key that may hold.

    `name`: what people call it; one key at a time has it.
    `digest`: the SHA-256 of the key.
    `caller`: who calls with it.
    `expires`: when it ends, in wall-clock seconds; None: never.
    `row`: its primary key in the database; 0 for one of the file.
    `used`: a call was made with it since this was last written down.
    """

    name: str
    digest: bytes
    caller: Caller
    expires: float | None = None
    row: int = 0
    used: bool = False

    def holds_at(self, now: float) -> bool:
        """Return whether it has not ended yet. `now` is wall-clock seconds."""
        return self.expires is None or now < self.expires

    def same_as(self, other: Grant) -> bool:
        """Return whether the other one is this key with the same rights."""
        return (self.digest, self.caller, self.expires, self.row) == (
            other.digest,
            other.caller,
            other.expires,
            other.row,
        )


def grant(
    name: str,
    digest: bytes,
    scopes: Iterable[str],
    clusters: Iterable[str] = (),
    expires: float | None = None,
    row: int = 0,
) -> Grant:
    """Return a grant of parts that were checked."""
    caller = Caller(f"{CALLER_PREFIX}{name}", frozenset(map(Scope, scopes)), tuple(clusters))
    return Grant(name, digest, caller, expires, row)


def name_fault(name: str) -> str:
    """Return what is wrong with a key's name; empty if nothing is."""
    return "" if NAME.fullmatch(name) else f"expected {NAME_RULE}, got {shown(name)}"


def scope_fault(scope: str) -> str:
    """Return what is wrong with one scope; empty if nothing is."""
    known = [each.value for each in Scope]
    if scope in known:
        return ""
    return f"expected one of {', '.join(known)}, got {shown(scope)}{did_you_mean(scope, {s: s for s in known})}"


def cluster_fault(glob: str) -> str:
    """Return what is wrong with the glob of a cluster; empty if nothing is."""
    if 0 < len(glob) <= MAX_GLOB and glob.isprintable():
        return ""
    return f"expected 1 to {MAX_GLOB} printable characters, got {shown(glob)}"


def wall_text(seconds: float) -> str:
    """Write wall-clock seconds for people: `2027-01-31T12:00:00Z`."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").removesuffix("+00:00") + "Z"
