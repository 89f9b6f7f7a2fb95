# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Peers by a fixed list. Immutable."""

from __future__ import annotations

from collections.abc import Iterable

from discovery.host import Host


class StaticDiscovery:
    """A fixed list. It may be the same for all nodes: each node leaves itself out."""

    def __init__(self, entries: Iterable[str]) -> None:
        """Read the entries, each as `Host.parse` takes it. Raises ValueError for a bad one."""
        self._hosts = tuple(map(Host.parse, entries))

    def hosts(self) -> tuple[Host, ...]:
        return self._hosts
