# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What gateways of a simulated world say of engines' caches, and what all nodes must come to hold by that."""

from __future__ import annotations

from random import Random

from tests.simulation.world import SimNode, World

PROMPTS = [tuple(range(start, start + length)) for start, length in ((1, 3), (1, 6), (20, 1), (30, 90))]
# Some of the engines that gateways drop, two at one address.
ENGINES = ["10.0.0.0", "10.0.0.1", "10.0.0.1:80", "10.0.0.2:80"]
CLUSTER = "c0"

Held = dict[tuple[str, str], set[int]]


class Caches:
    """Saves and losses at any node. `random` is of its own, so that requests go as without them. An engine that a
    gateway drops loses its cache too.

    With `crashes` there are saves only: what a node tells of a loss and dies may have reached any part of the others.
    """

    def __init__(self, world: World, seed: int, *, crashes: bool = False) -> None:
        self.world = world
        self.random = Random(f"caches {seed}")
        self.told: set[tuple[SimNode, str, int]] = set()  # engines and blocks that each life of a node was told of
        self.crashes = crashes
        if not crashes:
            for node in world.nodes.values():
                node.ledger.on_dropped = node.cache_calls.forget

    def traffic(self, seconds: float, number: int) -> None:
        for _ in range(number):
            self.world.at(
                self.random.uniform(0, seconds),
                self._save if self.crashes or self.random.random() < 0.9 else self._lose,
            )

    def held(self, node: SimNode) -> Held:
        """What a node knows each engine to hold."""
        while node.index.expire(node.now()):
            pass
        found: Held = {}
        for bucket in range(256):
            for copy in node.index.copies(bucket, node.now()):
                found.setdefault((copy.cluster, copy.engine), set()).update(copy.hashes)
        return found

    def expected(self) -> Held:
        """What every engine holds by all that was said: what was saved after its last loss."""
        told = self.world.told
        found: Held = {}
        for (cluster, engine, block), stamp in told.saved.items():
            if stamp > max(told.lost.get((cluster, engine), 0), told.lost.get((cluster, None), 0)):
                found.setdefault((cluster, engine), set()).add(block)
        return found

    def survived(self) -> set[tuple[str, int]]:
        """Engines and blocks that nodes were told of which have not crashed since."""
        return {(engine, block) for node, engine, block in self.told if self.world.nodes.get(node.name) is node}

    def _node(self) -> SimNode:
        up = [name for name in self.world.nodes if name not in self.world.paused | self.world.draining]
        return self.world.nodes[self.random.choice(up)]

    def _engine(self) -> str:
        return ENGINES[self.random.randrange(4)]

    def _save(self) -> None:
        node, engine, prompt = self._node(), self._engine(), self.random.choice(PROMPTS)
        node.cache_calls.keep(CLUSTER, engine, prompt)
        self.told.update((node, engine, block) for block in prompt)

    def _lose(self) -> None:
        node, engine = self._node(), self._engine() if self.random.random() < 0.8 else None
        node.cache_calls.forget(CLUSTER, engine)
