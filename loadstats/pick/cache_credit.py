# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What engines' caches are worth for a prompt. Immutable."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import NamedTuple, Protocol


class CachedLengths(Protocol):
    """How many leading blocks of a prompt each engine's cache holds.

    `longest`: the most that one engine holds.
    `usual`: what an engine holds that is in `engines` and not in `others`.
    `others`: what the other engines hold, by name.
    `engines`: the names of all engines with an entry of their own. Any other engine uses its address's entry.
    `roster`: another object whenever `engines` changes.
    """

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

    def at(self, engine: str, address: str) -> int:
        """Return how many blocks an engine holds, by its name and the address in it."""


class CacheCredit(NamedTuple):
    """What the engines' caches add to their scores.

    `lengths`: how many blocks of the prompt each engine holds.
    `block`: what one block is worth.
    """

    lengths: CachedLengths
    block: float


class PromptToRead(NamedTuple):
    """The prompt of a request that an engine is chosen for.

    `length`: in the gateway's unit.
    `blocks`: how many blocks the call named.
    `cached`: how many of these each engine holds; None where nothing is known.
    """

    length: int = 0
    blocks: int = 0
    cached: CachedLengths | None = None

    def credit(self, whole: float) -> CacheCredit | None:
        """Return what the engines' caches are worth if the whole prompt in one is worth so much."""
        return None if self.cached is None else CacheCredit(self.cached, whole / max(1, self.blocks))

    def unread(self, name: str, ip: str) -> int:
        """Return what an engine has yet to read of it; of a prompt that is not empty at least 1."""
        if self.cached is None or not self.length:
            return self.length
        return max(1, round(self.length * (1 - self.cached.at(name, ip) / max(1, self.blocks))))
