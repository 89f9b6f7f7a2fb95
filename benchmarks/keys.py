# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What a key costs a call: POSTs and GETs without a key and with one, another one in each round.

One node with 10,000 keys, and the floor server on the same core. It gets the same requests and reads nothing of them
and shows what a longer head costs each server. Rounds of the kinds alternate, so that all have the same machine. CPU
time counts the whole process.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from itertools import count
from pathlib import Path
from typing import NamedTuple

from access.key_text import digest_of, new_key
from access.keys_file import entry
from benchmarks import wrk
from benchmarks.bench import Bench
from benchmarks.gateway import LoadGateway
from benchmarks.machine import cpu_seconds
from benchmarks.openloop_client import OpenLoop, steady
from benchmarks.section import Reach, Section, table
from benchmarks.servers import MeasuredNode, call
from benchmarks.spread import Spread

NAME = "keys"
KEYS = 10_000
CONNECTIONS = 32
ENGINES = 100
CLUSTER = "model-keys"
WITHOUT, WITH = "no key", "a key"
SCRIPTS = {"POST": "post", f"GET, {ENGINES} engines": "get"}
REACH_US = 1.0  # of a look-up


class MeasuredFloor(NamedTuple):
    """The floor server's process, and its port for answers of one size."""

    pid: int
    port: int


class KeyCost(NamedTuple):
    """One kind of call: µs of CPU in each round, without a key and with one, of the node and of the floor."""

    label: str
    without: list[float]
    with_key: list[float]
    floor_without: list[float]
    floor_with_key: list[float]

    def more(self) -> list[float]:
        """Return what a key adds on the node, in each round."""
        return [b - a for a, b in zip(self.without, self.with_key, strict=True)]

    def floor_more(self) -> list[float]:
        """Return what it adds on the floor."""
        return [b - a for a, b in zip(self.floor_without, self.floor_with_key, strict=True)]


def measure(bench: Bench) -> Section:
    """Both kinds of call in turn."""
    rounds, seconds = bench.pick(16, 1), 1
    with tempfile.TemporaryDirectory() as folder:
        keys = [new_key() for _ in range(KEYS)]
        file = Path(folder) / "keys.toml"
        file.write_text(keys_file(keys))
        with bench.servers.node(
            METADATA_CENTER_AUTH_KEYS_FILE=str(file), METADATA_CENTER_LOAD_GC_INTERVAL="1h"
        ) as node:
            _open_engines(node)
            size = len(node.get(f"/v1/load/stats?cluster={CLUSTER}"))
            with bench.servers.floor([len(call(node.port, LoadGateway(0xFFFF).post(1))), size]) as (floor, ports):
                costs = [
                    _rounds(node, MeasuredFloor(floor, port), label, script, keys, rounds, seconds)
                    for (label, script), port in zip(SCRIPTS.items(), ports, strict=True)
                ]
    return section(costs, rounds, seconds)


def keys_file(keys: Iterable[str]) -> str:
    """Return the file of keys that may read and write."""
    return "\n\n".join(
        entry(f"gateway-{number}", digest_of(key.encode()), ["read", "write"], [], None)
        for number, key in enumerate(keys)
    )


def _open_engines(node: MeasuredNode) -> None:
    gateway = LoadGateway(0xE0E0, cluster=CLUSTER, engines=ENGINES, per_cluster=ENGINES)
    with OpenLoop(node.port, connections=1) as client:
        client.run(steady(5000, ENGINES), gateway.adds())


def _rounds(
    node: MeasuredNode, floor: MeasuredFloor, label: str, script: str, keys: list[str], rounds: int, seconds: int
) -> KeyCost:
    cost, runs = KeyCost(label, [], [], [], []), count(1)
    places: list[tuple[MeasuredNode | MeasuredFloor, str, list[float]]] = [
        (node, WITHOUT, cost.without),
        (node, WITH, cost.with_key),
        (floor, WITHOUT, cost.floor_without),
        (floor, WITH, cost.floor_with_key),
    ]
    for server in (node, floor):
        _sample(server, script, "", next(runs), 1)  # warm up
    for number in range(rounds):
        for server, kind, found in places if number % 2 else places[::-1]:
            key = keys[number * 997 % KEYS] if kind is WITH else ""
            found.append(_sample(server, script, key, next(runs), seconds))
        node.forget_log()
    return cost


def _sample(server: MeasuredNode | MeasuredFloor, script: str, key: str, run: int, seconds: int) -> float:
    settings: dict[str, str | int] = {"RUN": run, "ENGINES": ENGINES, "CLUSTER": CLUSTER, "KEY": key}
    before = cpu_seconds(server.pid)
    counted = wrk.run(script, server.port, seconds=seconds, connections=CONNECTIONS, settings=settings)
    return (cpu_seconds(server.pid) - before) / counted.requests * 1e6


def section(costs: Iterable[KeyCost], rounds: int, seconds: int) -> Section:
    """The table."""
    rows = []
    for cost in costs:
        more, floor_more = Spread.of(cost.more()), Spread.of(cost.floor_more())
        added = more.median - floor_more.median
        rows.append(
            (
                cost.label,
                Spread.of(cost.without).show(),
                Spread.of(cost.with_key).show(),
                more.show(),
                floor_more.show(),
                f"{added:.1f}",
                Reach(added, REACH_US).show(" µs"),
            )
        )
    explained = (
        f"µs of CPU of the whole process per call, {rounds} rounds of {seconds} s each, in turn on one node with "
        f"{KEYS:,} keys and on the floor server, {CONNECTIONS} kept connections. *More* is of the two rounds that are "
        "neighbours: the key's look-up, its scope, and 70 bytes more of head. *Floor, more* is what those bytes cost a "
        "server that does not read them. The *service* adds the difference."
    )
    head = ("call", WITHOUT, WITH, "more", "floor, more", "service", "reach")
    return Section(NAME, "A call with a key", [explained, table(head, rows)])
