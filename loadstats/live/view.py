# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What the watchers of one stream have been told, and what to tell them next. Pure: no clock, no network, no Django.

Used by one event loop. Always true: whoever applies to a snapshot every change since has what the next snapshot shows.
Messages are joined from the bytes that the ledger keeps for `GET /v1/load/stats`; nothing is encoded twice.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Protocol, TypeVar

T = TypeVar("T")

Steps = Generator[None, None, T]
"""Work in steps: at each `yield` others may have their turn."""

PART = 4096  # engines looked at in one step: 0.1 ms to compare, 0.4 ms to add up


class View(Protocol):
    """One stream's content. What the methods return are members of a JSON object, without its braces."""

    def look(self) -> Steps[bytes | None]:
        """Read the ledger: what changed since the last look; None where nothing did, and of the first look, which is
        for the snapshot."""
        ...

    def snapshot(self) -> bytes:
        """All, as of the last look."""
        ...

    def alive(self) -> bytes:
        """What also a message without changes says."""
        ...


def message(kind: str, version: int, wall_ns: int, members: bytes) -> str:
    """A whole message as it goes over the wire."""
    comma = "," if members else ""
    return f'{{"type":"{kind}","version":{version},"time_ns":{wall_ns}{comma}{members.decode()}}}'
