# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Batches: what an operation costs a node in CPU time, and how long a large batch holds up other calls. Reads: what an
unchanged answer costs.

A batch has whole lives of requests: a quarter each are starts, first tokens, counts of tokens and ends.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import count, islice
from select import select
from time import perf_counter
from typing import Any, NamedTuple

from msgspec.json import encode

from benchmarks import wrk
from benchmarks.bench import Bench
from benchmarks.gateway import LoadGateway
from benchmarks.machine import cpu_seconds
from benchmarks.openloop_client import OpenLoop, steady
from benchmarks.section import Reach, Section, table
from benchmarks.servers import MeasuredNode, ServerFailed, complete
from benchmarks.spread import Latencies, Spread

NAME = "batch"
REACH_US = 3.0
SIZES = (10, 100, 1_000, 10_000)
CONNECTIONS = 32
ENGINES = 100
READ_ENGINES = (100, 1_000)
HELD_MS = 10.0  # gateways warn of calls that take longer
# Expiry is left out.
NODE = {"METADATA_CENTER_LOAD_GC_INTERVAL": "1h"}


class BatchNumbers(NamedTuple):
    """µs of CPU time per operation, by size of the batch, and per read, by engines and whether it was a 304; a number
    each round. `held`: µs that other callers waited for an answer while batches of the largest size were taken."""

    operations: dict[int, list[float]]
    reads: dict[tuple[int, bool], list[float]]
    held: Latencies


def measure(bench: Bench) -> Section:
    """Every size on one node, then the reads."""
    rounds = bench.pick(5, 1)
    with bench.servers.node(**NODE) as node:
        lives = operations()
        each = bench.pick(200_000, 20_000)
        costs: dict[int, list[float]] = {size: [] for size in SIZES}
        held: list[float] = []
        for _ in range(rounds):
            for size in SIZES:
                costs[size].append(_cost(node, lives, size, each))
                node.forget_log()
            held += _held(node, lives, bench.pick(20, 3))
        reads = _reads(node, rounds)
    return section(BatchNumbers(costs, reads, Latencies.of(held)), rounds)


def operations() -> Iterator[dict[str, Any]]:
    """Lives of requests, one after the other."""
    for n in count():
        request_id = f"6ba7ba7c-9dad-41d1-80b4-{n:012x}"
        ip = f"10.0.{n % ENGINES // 250}.{n % 250 % ENGINES + 1}"
        yield {"op": "add", "cluster": "model-a", "request_id": request_id, "ip": ip, "prompt_length": n % 10_000}
        yield {"op": "prompt", "request_id": request_id}
        yield {"op": "tokens", "request_id": request_id, "input_tokens": n % 10_000, "output_tokens": 1}
        yield {"op": "delete", "request_id": request_id}


def _post(lives: Iterator[dict[str, Any]], size: int) -> bytes:
    body = encode({"ops": list(islice(lives, size))})
    return b"POST /v1/load/batch HTTP/1.1\r\nHost: n\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


def _answer(connection: socket.socket) -> bytes:
    data = b""
    while not complete(data):
        part = connection.recv(1 << 20)
        if not part:
            raise ServerFailed("the node closed a connection")
        data += part
    if b'"code":4' in data or not data.startswith(b"HTTP/1.1 200 "):
        raise ServerFailed(f"an operation failed: {data[:500]!r}")
    return data


def _connect(node: MeasuredNode, stack: ExitStack, connections: int) -> list[socket.socket]:
    address = ("127.0.0.1", node.port)
    return [stack.enter_context(socket.create_connection(address, timeout=30)) for _ in range(connections)]


def _cost(node: MeasuredNode, lives: Iterator[dict[str, Any]], size: int, each: int) -> float:
    """CPU time per operation over about `each` of them, on kept connections."""
    with ExitStack() as stack:
        connections = _connect(node, stack, min(CONNECTIONS, max(1, each // size)))
        turns = max(1, each // (size * len(connections)))
        posts = [[_post(lives, size) for _ in connections] for _ in range(turns)]  # made beforehand
        before = cpu_seconds(node.pid)
        for turn in posts:
            for connection, post in zip(connections, turn, strict=True):
                connection.sendall(post)
            for connection in connections:
                _answer(connection)
        used = cpu_seconds(node.pid) - before
    return used / (turns * len(connections) * size) * 1e6


def _held(node: MeasuredNode, lives: Iterator[dict[str, Any]], batches: int) -> list[float]:
    """How long each of another caller's calls took while batches of the largest size were taken, in µs."""
    get = LoadGateway(0).get()
    times: list[float] = []
    with ExitStack() as stack:
        batch, other = _connect(node, stack, 2)
        for _ in range(batches):
            post = _post(lives, max(SIZES))
            batch.sendall(post)
            while not select([batch], [], [], 0)[0]:
                began = perf_counter()
                other.sendall(get)
                _answer(other)
                times.append((perf_counter() - began) * 1e6)
            _answer(batch)
    return times


def _reads(node: MeasuredNode, rounds: int) -> dict[tuple[int, bool], list[float]]:
    costs: dict[tuple[int, bool], list[float]] = {}
    for engines in READ_ENGINES:
        cluster = f"model-{engines}"
        gateway = LoadGateway(0xE000 + engines, cluster=cluster, engines=engines, per_cluster=engines)
        with OpenLoop(node.port, connections=1) as client:
            client.run(steady(5000, engines), gateway.adds())
    for _ in range(rounds):
        for engines in READ_ENGINES:
            cluster = f"model-{engines}"
            head = node.get(f"/v1/load/stats?cluster={cluster}").partition(b"\r\n\r\n")[0]
            etag = head.partition(b"\r\nETag: ")[2].partition(b"\r\n")[0].decode()
            for known in (False, True):
                settings = {"CLUSTER": cluster, "ETAG": etag if known else ""}
                before = cpu_seconds(node.pid)
                done = wrk.run("get", node.port, seconds=1, connections=CONNECTIONS, settings=settings)
                used = (cpu_seconds(node.pid) - before) / done.requests * 1e6
                costs.setdefault((engines, known), []).append(used)
            node.forget_log()
    return costs


def section(measured: BatchNumbers, rounds: int) -> Section:
    """The tables."""
    sizes = table(
        ("operations in a batch", "µs CPU per operation", "reach"),
        [
            (f"{size:,}", (spread := Spread.of(costs)).show(2), Reach(spread.median, REACH_US).show(" µs"))
            for size, costs in measured.operations.items()
        ],
    )
    held = measured.held
    waited = (
        f"While batches of {max(SIZES):,} were taken, {held.count:,} other calls were answered: half of them within "
        f"{held.p50 / 1e3:.2f} ms, 99 % within {held.p99 / 1e3:.2f} ms, the last after {held.longest / 1e3:.1f} ms "
        f"({Reach(held.longest / 1e3, HELD_MS).show(' ms')})."
    )
    reads = table(
        ("read", "µs CPU"),
        [
            (f"GET, {engines:,} engines{', unchanged: 304' if known else ''}", Spread.of(costs).show())
            for (engines, known), costs in measured.reads.items()
        ],
    )
    summary = (
        f"CPU time of the whole node, {rounds} rounds: batches on {CONNECTIONS} kept connections at once, each call's "
        "own cost shared among its operations; reads by wrk."
    )
    return Section(NAME, "Batches, and answers that stand", [summary, sizes, waited, reads])
