# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What a call costs each of the two: CPU time of the whole process under full load, and latency at a fixed rate.

Both have the same core, and the same load comes from the other one. Rounds alternate.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count, cycle, islice
from pathlib import Path
from typing import NamedTuple

from benchmarks import wrk
from benchmarks.machine import cpu_seconds
from benchmarks.openloop_client import OpenLoop, poisson
from benchmarks.peers.calls import DYNAMO, NODE, RING, Side, Work, request_id, ring
from benchmarks.servers import call
from benchmarks.spread import Latencies, Spread

CONNECTIONS = 32


class Measured(NamedTuple):
    """A running server, as one of the sides."""

    side: Side
    pid: int
    port: int


class Cost(NamedTuple):
    """A row of the table, of each side: µs of CPU for the work, and µs of latency of one call.

    `answer_bytes`: of the last call's answer, head and body.
    """

    work: Work
    node: Spread
    dynamo: Spread
    ratio: Spread
    node_p99: Spread
    dynamo_p99: Spread
    answer_bytes: tuple[int, int]


class PeerLoad:
    """Loads both servers. `folder` takes the files of calls; each run has other request ids."""

    def __init__(self, folder: Path, *, rounds: int, seconds: int, latency_seconds: int) -> None:
        self._folder = folder
        self._rounds = rounds
        self._seconds = seconds
        self._latency_seconds = latency_seconds
        self._runs = count(1)

    def cost(self, work: Work, model: str, node: Measured, dynamo: Measured) -> Cost:
        """Measure one row, both sides warmed up."""
        cpu: dict[Side, list[float]] = {NODE: [], DYNAMO: []}
        p99: dict[Side, list[float]] = {NODE: [], DYNAMO: []}
        size: dict[Side, int] = {}
        sides = (node, dynamo)
        for server in sides:
            self._cpu_us(work, model, server)
            size[server.side] = self._last_answer(work, model, server)
        for number in range(self._rounds):
            for server in sides if number % 2 else reversed(sides):
                cpu[server.side].append(self._cpu_us(work, model, server))
            for server in sides if number % 2 else reversed(sides):
                p99[server.side].append(self._p99_us(work, model, server))
        ratios = [one / other for one, other in zip(cpu[NODE], cpu[DYNAMO], strict=True)]
        return Cost(
            work,
            Spread.of(cpu[NODE]),
            Spread.of(cpu[DYNAMO]),
            Spread.of(ratios),
            Spread.of(p99[NODE]),
            Spread.of(p99[DYNAMO]),
            (size[NODE], size[DYNAMO]),
        )

    def _cpu_us(self, work: Work, model: str, server: Measured) -> float:
        calls = list(ring(work, server.side, model))
        file = self._folder / "calls"
        file.write_text("".join("\t".join(each) + "\n" for each in calls))
        settings: dict[str, str | int] = {"RUN": next(self._runs), "CALLS": str(file)}
        before = cpu_seconds(server.pid)
        counted = wrk.run("peer", server.port, seconds=self._seconds, connections=CONNECTIONS, settings=settings)
        return (cpu_seconds(server.pid) - before) / counted.requests * len(calls) / RING * 1e6

    def _p99_us(self, work: Work, model: str, server: Measured) -> float:
        calls = self._requests(work, model, server)
        with OpenLoop(server.port, connections=CONNECTIONS) as client:
            run = client.run(poisson(work.rate, work.rate * self._latency_seconds), calls)
        return Latencies.of(run.latencies, 1e-3).p99

    def _last_answer(self, work: Work, model: str, server: Measured) -> int:
        together = len(work.calls(server.side, model, 0))
        answers = [call(server.port, request) for request in islice(self._requests(work, model, server), together)]
        return len(answers[-1])

    def _requests(self, work: Work, model: str, server: Measured) -> Iterator[bytes]:
        run = next(self._runs)
        for number, each in enumerate(cycle(ring(work, server.side, model))):
            yield each.request(request_id(run, number))
