# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What gateways of a simulated world say of engines' caches, and what all nodes must come to hold by that."""

from __future__ import annotations

from random import Random

from tests.simulation.world import SimNode, World

PROMPTS = [tuple(range(start, start + length)) for start, length in ((1, 3), (1, 6), (20, 1), (30, 90))]


class Caches:
    """Saves and losses at any node. `random` is of its own, so that requests go as without them.

    With `crashes` there are saves only: what a node tells of a loss and dies may have reached any part of the others.
    """

    def __init__(self, world: World, seed: int, *, crashes: bool = False) -> None:
        self.world = world
        self.random = Random(f"caches {seed}")
        self.saves: dict[tuple[str, int], int] = {}  # the latest stamps, by engine and block
        self.losses: dict[str | None, int] = {}  # by engine; None: of all
        self.told: set[tuple[SimNode, str, int]] = set()  # engines and blocks that each life of a node was told of
        self.crashes = crashes

    def traffic(self, seconds: float, number: int) -> None:
        for _ in range(number):
            self.world.at(
                self.random.uniform(0, seconds),
                self._save if self.crashes or self.random.random() < 0.9 else self._lose,
            )

    def held(self, node: SimNode) -> dict[str, set[int]]:
        """What a node knows each engine to hold."""
        while node.index.expire(node.now()):
            pass
        copies = [copy for bucket in range(256) for copy in node.index.copies(bucket, node.now())]
        return {ip: {each for copy in copies if copy.ip == ip for each in copy.hashes} for ip in {c.ip for c in copies}}

    def expected(self) -> dict[str, set[int]]:
        found: dict[str, set[int]] = {}
        for (ip, block), stamp in self.saves.items():
            if stamp > max(self.losses.get(ip, 0), self.losses.get(None, 0)):
                found.setdefault(ip, set()).add(block)
        return found

    def survived(self) -> set[tuple[str, int]]:
        """Engines and blocks that nodes were told of which have not crashed since."""
        return {(ip, block) for node, ip, block in self.told if self.world.nodes.get(node.name) is node}

    def _node(self) -> SimNode:
        up = [name for name in self.world.nodes if name not in self.world.paused]
        return self.world.nodes[self.random.choice(up)]

    def _engine(self) -> str:
        return f"10.0.0.{self.random.randrange(4)}"

    def _save(self) -> None:
        node, ip, prompt = self._node(), self._engine(), self.random.choice(PROMPTS)
        stamp = node.stamps.next()
        node.index.save("c", ip, prompt, node.now(), stamp)
        node.caches.saved("c", ip, prompt, stamp, node.now())
        for block in prompt:
            self.saves[ip, block] = max(self.saves.get((ip, block), 0), stamp)
            self.told.add((node, ip, block))

    def _lose(self) -> None:
        node, ip = self._node(), self._engine() if self.random.random() < 0.8 else None
        stamp = node.stamps.next()
        node.index.drop("c", ip, stamp, node.now())
        node.caches.dropped("c", ip, stamp, node.now())
        self.losses[ip] = max(self.losses.get(ip, 0), stamp)
