# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What groups of one to eight nodes take together for an event, mesh and log in turn, and from which size on the log is
the better choice.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from statistics import median
from time import sleep
from typing import NamedTuple

from benchmarks.bench import Bench
from benchmarks.gateway import LoadGateway
from benchmarks.group import MODES, group
from benchmarks.openloop_client import OpenLoop, steady
from benchmarks.replication import ends
from benchmarks.section import Section, table

NAME = "sizes"
SIZES = (1, 2, 4, 8)
RATE = 250
FULL = 0.9  # of the core


class Line(NamedTuple):
    """A cost that grows with the number of nodes: `first` for one, `more` for each further one."""

    first: float
    more: float

    def at(self, nodes: int) -> float:
        """Return the cost with so many nodes."""
        return self.first + self.more * (nodes - 1)


def fitted(costs: Mapping[int, float]) -> Line:
    """Return the line that comes nearest to the measured costs (least squares). `costs` has at least two sizes."""
    sizes = [nodes - 1 for nodes in costs]
    middle, cost = sum(sizes) / len(sizes), sum(costs.values()) / len(costs)
    spread = sum((each - middle) ** 2 for each in sizes)
    more = sum((size - middle) * (value - cost) for size, value in zip(sizes, costs.values(), strict=True)) / spread
    return Line(cost - more * middle, more)


def better_from(mesh: Mapping[int, float], log: Mapping[int, float]) -> str:
    """Return from how many nodes on the log costs less than the mesh, in words."""
    lines = fitted(mesh), fitted(log)
    for nodes in range(2, 66):
        if lines[1].at(nodes) < lines[0].at(nodes):
            return f"from {nodes} nodes on"
    return "at no size up to 65 nodes"


def free(shares: Mapping[int, float]) -> list[int]:
    """Return the sizes that say something of others, two at least. `shares`: how much of the core each took.

    On a full core more events are sent together, and each costs less.
    """
    found = [nodes for nodes, share in shares.items() if share < FULL]
    return found if len(found) > 1 else sorted(shares)[:2]


def measure(bench: Bench) -> Section:
    """All nodes and the Valkey on the server's core; the calls go to all of them in turn."""
    spent: defaultdict[tuple[str, int], list[float]] = defaultdict(list)
    idle: defaultdict[tuple[str, int], list[float]] = defaultdict(list)
    shares: defaultdict[tuple[str, int], list[float]] = defaultdict(list)
    sizes: Sequence[int] = SIZES if not bench.quick else SIZES[:2]
    seconds = bench.pick(10, 2)
    for _ in range(bench.pick(2, 1)):
        for number in sizes:
            for mode in MODES if number > 1 else MODES[:1]:
                with group(bench, mode, number) as nodes:
                    still = nodes.used(lambda: sleep(bench.pick(6, 1)))
                    first, *others = nodes.ports
                    with OpenLoop(first, connections=32, further_ports=others) as client:
                        client.run(steady(RATE, RATE), ends(LoadGateway(1)))
                        busy = nodes.used(lambda: client.run(steady(RATE, RATE * seconds), ends(LoadGateway(2))))
                rest = still.together / still.seconds
                spent[mode, number].append((busy.together - rest * busy.seconds) / (RATE * seconds) * 1e6)
                idle[mode, number].append(rest)
                shares[mode, number].append(busy.together / busy.seconds)
    costs = {mode: {1: median(spent[MODES[0], 1])} for mode in MODES}
    rows = []
    for number in sizes:
        for mode in MODES if number > 1 else MODES[:1]:
            cost = costs[mode][number] = median(spent[mode, number])
            busy_share, still_share = (f"{median(each[mode, number]):.1%}" for each in (shares, idle))
            rows.append([str(number), mode if number > 1 else "alone", f"{cost:.1f}", busy_share, still_share])
    least = free({nodes: max(median(shares[mode, nodes]) for mode in MODES) for nodes in sizes if nodes > 1})
    fit = {
        mode: {nodes: cost for nodes, cost in costs[mode].items() if bench.quick or nodes in least} for mode in MODES
    }
    parts = {mode: fitted(fit[mode]) for mode in MODES}
    model = "; ".join(
        f"{mode}: {line.at(2):.1f} µs with two nodes and {line.more:.1f} more for each further one"
        for mode, line in parts.items()
    )
    return Section(
        NAME,
        "Sizes of groups",
        [
            f"CPU of all nodes and the Valkey together for each event, {RATE:,} events/s spread over all nodes, all of "
            "them on one core; what they use without load is taken off.",
            table(["nodes", "by", "µs an event", "busy, of the core", "idle, of the core"], rows),
            f"As a line through those that leave a tenth of the core free: {model}. By that the log takes less CPU "
            f"{better_from(fit['mesh'], fit['log'])}.",
        ],
    )
