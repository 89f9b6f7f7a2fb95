# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What an index of caches must hold, and what engines may use of it, in the plainest way."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass, field

from edge.engine_name import EngineName

Held = dict[tuple[str, str], dict[int, int]]


@dataclass
class Model:
    """The latest stamps of saves by engine and block, and of drops: what is held follows from them."""

    saved: Held = field(default_factory=dict)
    dropped: dict[tuple[str, str | None], int] = field(default_factory=dict)

    def save(self, cluster: str, engine: str, hashes: Sequence[int], stamp: int) -> None:
        blocks = self.saved.setdefault((cluster, engine), {})
        for each in hashes:
            blocks[each] = max(blocks.get(each, -1), stamp)

    def drop(self, cluster: str, engine: str | None, stamp: int) -> None:
        self.dropped[cluster, engine] = max(self.dropped.get((cluster, engine), -1), stamp)

    def held(self) -> Held:
        held: Held = {}
        for (cluster, engine), blocks in self.saved.items():
            last = max(self.dropped.get((cluster, engine), -1), self.dropped.get((cluster, None), -1))
            kept = {each: stamp for each, stamp in blocks.items() if stamp > last}
            if kept:
                held[cluster, engine] = kept
        return held

    def query(self, cluster: str, hashes: Sequence[int], topk: int) -> list[tuple[str, int]]:
        found = []
        for (name, engine), blocks in self.held().items():
            length = prefix(hashes, blocks)
            if name == cluster and length:
                found.append((engine, length))
        return sorted(found, key=lambda each: (-each[1], each[0]))[:topk]

    def length(self, cluster: str, engine: str, hashes: Sequence[int]) -> int:
        """How many of a prompt's leading blocks an engine holds: by its own entry; if it has none, by its address's, of
        which only what was saved after the engine's last drop counts for it."""
        held = self.held()
        if (cluster, engine) in held:
            return prefix(hashes, held[cluster, engine])
        floor = self.dropped.get((cluster, engine), -1)
        blocks = held.get((cluster, EngineName.of(engine).ip), {})
        return prefix(hashes, {each for each, stamp in blocks.items() if stamp > floor})


def prefix(hashes: Sequence[int], blocks: Container[int]) -> int:
    """How many of a prompt's leading blocks are among these."""
    return next((place for place, each in enumerate(hashes) if each not in blocks), len(hashes))
