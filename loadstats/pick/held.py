# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What engines' caches are worth for a prompt. Immutable."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import NamedTuple, Protocol


class Lengths(Protocol):
    """How many leading blocks of a prompt engines hold: `usual`, but for the `others`, by address, and for those that
    are none of `engines`; `longest` at most. `roster` is another object whenever the engines are others."""

    @property
    def longest(self) -> int: ...
    @property
    def usual(self) -> int: ...
    @property
    def others(self) -> Mapping[str, int]: ...
    @property
    def engines(self) -> Container[str]: ...
    @property
    def roster(self) -> object: ...

    def at(self, ip: str) -> int:
        """How many one holds."""


class Held(NamedTuple):
    """How much, and what a block of it is worth."""

    lengths: Lengths
    block: float
