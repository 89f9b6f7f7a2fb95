# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Who saved what here: how many blocks each client's saves hold, and on which engines.

Owned by the index and used under its lock. Always true: `blocks` is the number of blocks of the runs whose touch
refers to the saver, each counted for every engine, and `engines` has those engines with their parts of it. A saver is
known exactly while it holds blocks.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec import Struct, field


class Saver(Struct, gc=False, eq=False):
    """A client of this node, as saves know it. What peers save is nobody's.

    `name`: its address, or the name of its key.
    `blocks`: how many blocks it holds.
    `engines`: how many of them on each engine. The engine that changed last is at the end.
    """

    name: str
    blocks: int = 0
    engines: dict[Any, int] = field(default_factory=dict)


class Savers:
    """The savers by name, and how much each may hold once more than half of the index is used.

    `nodes`: how many nodes are known, this one included. All have the same blocks, so the share is divided by it.
    """

    def __init__(self, max_blocks: int, share: float) -> None:
        self.nodes = 1
        self._max_blocks = max_blocks
        self._share = share
        self._savers: dict[str, Saver] = {}

    def __iter__(self) -> Iterator[Saver]:
        return iter(self._savers.values())

    def of(self, name: str) -> Saver | None:
        """Return the saver of this name, known from its first block on; None for a save without a client."""
        if not name:
            return None
        return self._savers.get(name) or Saver(name)

    def count(self, saver: Saver | None, engine: object, blocks: int) -> None:
        """Count blocks more, or with a negative number fewer, that a saver holds on an engine."""
        if saver is None:
            return
        saver.blocks += blocks
        held = saver.engines.pop(engine, 0) + blocks
        if held:
            saver.engines[engine] = held
        if saver.blocks:
            self._savers[saver.name] = saver
        else:
            self._savers.pop(saver.name, None)

    def excess(self, saver: Saver, used: int) -> int:
        """Return how many blocks a saver has to give back, where so many are used in all."""
        over = used - self._max_blocks // 2
        return min(over, saver.blocks - max(1, int(self._max_blocks * self._share / self.nodes)))
