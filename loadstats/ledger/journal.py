# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Where the ledger takes down what clients reported. Called with the ledger's lock held."""

from __future__ import annotations

from typing import Any, Protocol

from loadstats.ledger.record import Origin


class Journal(Protocol):
    """Takes events in the order in which they took effect. `origin` is whose events they are."""

    origin: Origin

    def append(self, event: Any, now: float, size: int = 0) -> int:
        """Take down an event of this ledger's, or another part's; `size` is its bytes where they are many. Returns its
        number."""
        ...
