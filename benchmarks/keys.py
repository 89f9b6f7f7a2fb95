# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What a key costs a call: POSTs and GETs without a key and with one, another one in each round.

One node with 10,000 keys; rounds of the kinds alternate on it, so that all have the same machine. CPU time counts the
whole process.
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
from benchmarks.servers import MeasuredNode
from benchmarks.spread import Spread

NAME = "keys"
KEYS = 10_000
CONNECTIONS = 32
ENGINES = 100
CLUSTER = "model-keys"
WITHOUT, WITH = "no key", "a key"
SCRIPTS = {"POST": "post", f"GET, {ENGINES} engines": "get"}
REACH_US = 1.0  # of a look-up


class KeyCost(NamedTuple):
    """One kind of call: µs of CPU in each round, without a key and with one."""

    label: str
    without: list[float]
    with_key: list[float]


def measure(bench: Bench) -> Section:
    """Both kinds of call in turn."""
    rounds, seconds = bench.pick(9, 1), bench.pick(2, 1)
    with tempfile.TemporaryDirectory() as folder:
        keys = [new_key() for _ in range(KEYS)]
        file = Path(folder) / "keys.toml"
        file.write_text(keys_file(keys))
        with bench.servers.node(
            METADATA_CENTER_AUTH_KEYS_FILE=str(file), METADATA_CENTER_LOAD_GC_INTERVAL="1h"
        ) as node:
            _open_engines(node)
            costs = [_rounds(node, label, script, keys, rounds, seconds) for label, script in SCRIPTS.items()]
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


def _rounds(node: MeasuredNode, label: str, script: str, keys: list[str], rounds: int, seconds: int) -> KeyCost:
    cost, runs = KeyCost(label, [], []), count(1)
    places = [(WITHOUT, cost.without), (WITH, cost.with_key)]
    _sample(node, script, "", next(runs), 1)  # warm up
    for number in range(rounds):
        for kind, found in places if number % 2 else places[::-1]:
            key = keys[number * 997 % KEYS] if kind is WITH else ""
            found.append(_sample(node, script, key, next(runs), seconds))
        node.forget_log()
    return cost


def _sample(node: MeasuredNode, script: str, key: str, run: int, seconds: int) -> float:
    settings: dict[str, str | int] = {"RUN": run, "ENGINES": ENGINES, "CLUSTER": CLUSTER, "KEY": key}
    before = cpu_seconds(node.pid)
    counted = wrk.run(script, node.port, seconds=seconds, connections=CONNECTIONS, settings=settings)
    return (cpu_seconds(node.pid) - before) / counted.requests * 1e6


def section(costs: Iterable[KeyCost], rounds: int, seconds: int) -> Section:
    """The table."""
    rows = []
    for cost in costs:
        more = Spread.of([b - a for a, b in zip(cost.without, cost.with_key, strict=True)])
        rows.append(
            (
                cost.label,
                Spread.of(cost.without).show(),
                Spread.of(cost.with_key).show(),
                more.show(),
                Reach(more.median, REACH_US).show(" µs"),
            )
        )
    explained = (
        f"µs of CPU of the whole process per call, {rounds} rounds of {seconds} s each, in turn on one node with "
        f"{KEYS:,} keys, {CONNECTIONS} kept connections. *More* is of the two rounds that are neighbours: the key's "
        "look-up, its scope, and 55 bytes more of head."
    )
    head = ("call", WITHOUT, WITH, "more", "reach")
    return Section(NAME, "A call with a key", [explained, table(head, rows)])
