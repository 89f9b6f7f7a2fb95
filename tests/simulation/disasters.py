# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What befalls nodes on a log and the log server itself in a simulated world."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from tests.audit import audit
from tests.simulation.log_link import LOG, SimLog
from tests.simulation.world import Faults, World

BOUNDLESS = 1 << 60


class Disasters:
    """Things that happen to a log server, one at a time. `random` is of its own."""

    def __init__(self, world: World, seed: int) -> None:
        assert world.log is not None
        self.world = world
        self.log: SimLog = world.log
        self.random = Random(f"disasters {seed}")
        self.happened: list[str] = []
        self.kinds: list[Callable[[], None]] = [
            self.go_away,
            self.hang,
            self.flush,
            self.die,
            self.roll_back,
            self.fail_over,
            self.evict,
            self.fill,
            self.set_clock,
        ]

    def within(self, seconds: float, number: int) -> None:
        """Let some happen, at any time."""
        for _ in range(number):
            self.world.at(self.random.uniform(0, seconds), self._one)

    def _one(self) -> None:
        kind = self.random.choice(self.kinds)
        self.happened.append(kind.__name__)
        kind()

    def _later(self, what: Callable[[], None], longest: float = 12) -> None:
        self.world.at(self.random.uniform(0.1, longest), what)

    def _come_back(self) -> None:
        self.log.away = False

    def go_away(self) -> None:
        self.log.away = True
        self._later(self._come_back)

    def hang(self) -> None:
        self.log.hung = True
        self._later(self.log.wake)

    def flush(self) -> None:
        self.log.server.flush()

    def die(self) -> None:
        """It comes back empty."""
        self.go_away()
        self.log.server.flush()

    def roll_back(self) -> None:
        """It comes back as it was some seconds ago."""
        self.go_away()
        self.log.go_back(self.random.randrange(2, 20))

    def fail_over(self) -> None:
        """A replica takes over that lacks the last entries."""
        self.log.go_back(1)

    def evict(self) -> None:
        self.log.server.evict(self.random.randrange(6))

    def fill(self) -> None:
        server = self.log.server
        server.most_bytes = max(1, int(server.bytes * self.random.choice([0.5, 1.0, 1.2])))
        self._later(lambda: setattr(server, "most_bytes", BOUNDLESS))

    def set_clock(self) -> None:
        self.log.skew += self.random.choice([3600.0, -3600.0, 5.0, -5.0])


def weather(world: World, seconds: float, *, crashes: bool, longest: float = 20) -> None:
    """Faults of the network come and go for a while, and nodes crash and come back."""
    random = world.random
    end = world.now + seconds
    while world.now < end:
        world.faults = Faults(
            loss=random.choice([0, 0.05, 0.3]),
            duplicate=random.choice([0, 0.3]),
            longest=random.choice([0.005, 0.05, 0.8]),
        )
        world.cut = {frozenset((name, LOG)) for name in world.names if random.random() < 0.2}
        world.paused = {name for name in world.names[1:] if random.random() < 0.1}
        if crashes and len(world.nodes) == len(world.names) and random.random() < 0.4:
            name = random.choice(world.names)
            world.crash(name)
            world.paused.discard(name)
            world.at(random.uniform(0.2, 10), lambda name=name: name in world.nodes or world.start(name))
        if not set(world.nodes) - world.paused:
            world.paused.clear()
        world.run(min(random.choice([0.5, 3, 8, 20]), longest))
        audit(random.choice(list(world.nodes.values())).ledger)
