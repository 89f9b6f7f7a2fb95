# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Where the ledger writes what clients reported. Called with the ledger's lock held."""

from __future__ import annotations

from typing import Any, Protocol

from loadstats.ledger.record import Origin


class EventSink(Protocol):
    """Takes events in the order in which they took effect.

    `origin`: the node whose events they are.
    """

    origin: Origin

    def append(self, event: Any, now: float, size: int = 0) -> int:
        """Write an event of this ledger's, or of another part's. Returns its number.

        `now` is when it took effect, `size` its bytes where they are many.
        """
        ...


class ClientEvents:
    """Where the events of this ledger's clients go now.

    `journal`: takes them; None in a node without peers.
    """

    __slots__ = ("journal",)

    def __init__(self) -> None:
        self.journal: EventSink | None = None
