# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The interface of a discovery. To use your own, implement it and name the class in `[Discovery] Class`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from discovery.host import Host


class LookupFailed(Exception):
    """The nodes can't be found out at the moment. Its text is one line that says why."""


@runtime_checkable
class ServiceDiscovery(Protocol):
    """Finds the nodes of this service.

    A class named in the configuration is called once, at start, with the `[Discovery]` section.
    """

    def hosts(self) -> Sequence[Host]:
        """Return all nodes there are now, in any order, with or without this one.

        A port of None becomes `[Replication] TargetPort`. Called on a thread without an event loop, one call at a time.
        It may block, but must end in about `LookupTimeout`. Raises LookupFailed if the nodes can't be found out. Then,
        and after an empty answer, the peers known so far are kept for `GraceTime`.
        """
        ...
