# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Who makes a call, and what it may do. Immutable."""

from __future__ import annotations

from enum import StrEnum
from fnmatch import fnmatchcase

from msgspec import Struct


class Scope(StrEnum):
    """What a call does, and so what its caller must be allowed to do."""

    READ = "read"
    """Look at load, caches and the node."""
    WRITE = "write"
    """Report load and caches."""
    REPLICATE = "replicate"
    """Speak as another node."""
    OPERATE = "operate"
    """Change the node itself, or remove what others reported."""


class Caller(Struct, frozen=True):
    """A caller that has proved who it is, by a key, a session or a certificate.

    `name`: what logs and the audit trail call it: `key gateway-eu`, `user anna`, `certificate node-2`.
    `scopes`: what it may do.
    `clusters`: globs of the clusters that it may name; empty: all.
    """

    name: str
    scopes: frozenset[Scope]
    clusters: tuple[str, ...] = ()

    def may_name(self, cluster: str) -> bool:
        """Return whether its calls may be about this cluster."""
        return not self.clusters or any(fnmatchcase(cluster, glob) for glob in self.clusters)
