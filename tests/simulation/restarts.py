# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Gateways of a simulated world that crash and start anew under the same name, each time as another incarnation.

A process is named `g0#2`: the gateway `g0` in its second life. One in five requests names no incarnation. A process
that was replaced may go on all the same (`zombies`): what it reports must change nothing that the new one does.
"""

from __future__ import annotations

from tests.simulation.gateways import Gateway, Gateways
from tests.simulation.told import View
from tests.simulation.world import TTL_SECONDS, SimNode, World


class RestartingGateways(Gateways):
    """Each request is one process's: it ends with it."""

    def __init__(self, world: World, *, zombies: bool) -> None:
        super().__init__(world, silences=False)
        self.zombies = zombies
        self.lives = dict.fromkeys(self.gateways, 1)
        self.gateways = {f"{name}#1": gateway for name, gateway in self.gateways.items()}
        for process in self.gateways:
            self._beat(process)

    def traffic(self, seconds: float, rate: float) -> None:
        random = self.world.random
        at = 0.0
        while at < seconds:
            at += random.expovariate(rate)
            self.world.at(at, self._request)
        for _ in range(6):
            self.world.at(random.uniform(0, seconds), self._start_anew)

    def owners(self) -> list[str]:
        return [process for process, gateway in self.gateways.items() if not gateway.dead]

    def report_add(self, node: SimNode, request_id: str, cluster: str, engine: str, length: int, owner: str) -> None:
        name, _, life = owner.partition("#")
        incarnation = life if int(request_id[1:]) % 5 else ""
        node.ledger.add(request_id, cluster, engine, length, node.now(), node.wall_ns(), name, incarnation=incarnation)

    def report_beat(self, node: SimNode, name: str) -> None:
        name, _, life = name.partition("#")
        node.ledger.beat(name, TTL_SECONDS, node.now(), node.wall_ns(), life)

    def expected(self, *, aged: bool) -> dict[str, View]:
        assert not aged
        told = self.world.told
        return {
            request_id: told.view(request_id)
            for request_id in told.adds
            if not told.over(request_id) and not told.superseded(request_id)
        }

    def _beat(self, name: str) -> None:
        if "#" in name:  # the base class begins with names alone
            super()._beat(name)

    def _start_anew(self) -> None:
        name = self.world.random.choice(list(self.lives))
        if not self.zombies or self.world.random.random() < 0.5:
            self.gateways[f"{name}#{self.lives[name]}"].dead = True
        self.lives[name] += 1
        process = f"{name}#{self.lives[name]}"
        self.gateways[process] = Gateway(self.world.random.choice(self.world.names))
        self._beat(process)
