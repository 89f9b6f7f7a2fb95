# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What anything that finds peers must be able to do. Implement it and name the class in `[Discovery] Class`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from discovery.host import Host


class LookupFailed(Exception):
    """Nobody can tell at the moment which nodes there are. Its text is one line that says why."""


@runtime_checkable
class ServiceDiscovery(Protocol):
    """Finds the nodes of this service.

    A class named in the configuration is called once, at start, with the `[Discovery]` section.
    """

    def hosts(self) -> Sequence[Host]:
        """All nodes there are now, in any order, this one among them or not. A port of None is filled in from
        `[Replication] TargetPort`.

        Called on a thread without an event loop, one call at a time. May block, but must end: in about
        `LookupTimeout`. Raises LookupFailed where it can't tell; the peers known so far are kept for `GraceTime` then,
        as they are for an empty answer.
        """
        ...
