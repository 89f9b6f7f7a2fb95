# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""A node that starts on a log with many requests in flight, and what snapshots in the log cost."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import repeat
from time import monotonic
from typing import NamedTuple

import hiredis

from benchmarks.bench import Bench
from benchmarks.gateway import LoadGateway
from benchmarks.group import LogProcess, is_ready, log_process, node, until
from benchmarks.machine import cores
from benchmarks.openloop_client import OpenLoop, poisson, steady
from benchmarks.replication import FILL_RATE, free_ports
from benchmarks.section import Reach, Section, table
from benchmarks.servers import MeasuredNode, ServerFailed
from benchmarks.spread import Latencies

NAME = "restart"
RATE = 2_000
# A snapshot of a million requests takes minutes, for it may not slow calls. What it lacks is in the stream.
SNAPSHOT_SECONDS = 400.0
LEAST_BYTES = 30  # of a request in a snapshot
EXPIRY = {"METADATA_CENTER_LOAD_REQ_EXPIRE": "1h"}


class Written(NamedTuple):
    """A snapshot in the log. `seconds`: from the last request to its end; None: it was not waited for any longer."""

    bytes: int
    seconds: float | None
    calls: Latencies


def measure(bench: Bench) -> Section:
    """Fill a node on a log, look at its snapshot and at calls meanwhile, then start other nodes."""
    starts, snapshots = [], []
    for full, limit in ((100_000, 3.0), (1_000_000, 15.0)):
        if full == 100_000 or not bench.quick:
            start, snapshot = _one(bench, bench.pick(full, 10_000), limit)
            starts.append(start)
            snapshots.append(snapshot)
    return Section(
        NAME,
        "Starting on a log",
        [
            "From the start of a process to its being ready with all requests, its own disk empty. *With another*: a "
            "node that runs has them, too. *With no other*: that one was killed with `kill -9`, and the log alone has "
            "them.",
            table(["requests in flight", "with another", "reach", "with no other", "reach"], starts),
            f"The snapshot in the log, and {RATE:,} GETs/s to the node that writes it:",
            table(
                ["requests in flight", "MB", "bytes a request", "written after", "p50, p99 meanwhile", "before"],
                snapshots,
            ),
        ],
    )


def _one(bench: Bench, requests: int, limit: float) -> tuple[list[str], list[str]]:
    with log_process(bench, bench.server_core) as log:
        with _killed_later(bench, log) as first:
            with OpenLoop(first.port, connections=32) as client:
                before = client.run(poisson(RATE, RATE * bench.pick(5, 1)), repeat(LoadGateway(1).get()))
                client.run(steady(FILL_RATE, requests), LoadGateway(1, engines=1000).adds())
                written = _snapshot(log, client, requests, bench.pick(round(SNAPSHOT_SECONDS), 90))
            with_another = _start(bench, log, requests)
        alone = _start(bench, log, requests)
    plain = Latencies.of(before.latencies, scale=1e-6)
    start = [f"{requests:,}"]
    for seconds in (with_another, alone):
        start += [f"{seconds:.2f} s", Reach(seconds, limit).show(" s")]
    return start, [
        f"{requests:,}",
        f"{written.bytes / 1e6:.1f}",
        f"{written.bytes / requests:.0f}",
        f"{written.seconds:.0f} s" if written.seconds is not None else f"more than {SNAPSHOT_SECONDS:g} s",
        f"{written.calls.p50:.2f}, {written.calls.p99:.2f} ms",
        f"{plain.p50:.2f}, {plain.p99:.2f} ms",
    ]


def _snapshot(log: LogProcess, client: OpenLoop, requests: int, seconds: float) -> Written:
    """Call the node until there is a snapshot of all requests."""
    began = monotonic()
    latencies: list[int] = []
    while True:
        latencies += client.run(poisson(RATE, RATE), repeat(LoadGateway(1).get())).latencies
        size, passed = _snapshot_bytes(log), monotonic() - began
        if size >= requests * LEAST_BYTES or passed > seconds:
            whole = passed if size >= requests * LEAST_BYTES else None
            return Written(size, whole, Latencies.of(latencies, scale=1e-6))


def _start(bench: Bench, log: LogProcess, requests: int) -> float:
    """Return the seconds from a process's start until it is ready with all requests."""
    (port,) = free_ports(1)
    began = monotonic()
    with node(bench, cores()[1], port, "log", [port], log, **EXPIRY) as found:
        until("ready", lambda: is_ready(found, well=False))  # one that was killed is missed
        ready = monotonic() - began
        until("it has all", lambda: found.records()["in_flight"] == requests)
        return ready


@contextmanager
def _killed_later(bench: Bench, log: LogProcess) -> Iterator[MeasuredNode]:
    """Run a node that is killed with -9 when the context ends."""
    (port,) = free_ports(1)
    ended = False
    try:
        with node(bench, bench.server_core, port, "log", [port], log, **EXPIRY) as found:
            until("ready", lambda: is_ready(found))
            yield found
            os.kill(found.pid, signal.SIGKILL)
            ended = True
            until("it has ended", lambda: not _runs(found.pid))
    except ServerFailed:
        if not ended:
            raise


def _runs(pid: int) -> bool:
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None


def _snapshot_bytes(log: LogProcess) -> int:
    """Return the size of the latest snapshot, 0 if there is none."""
    reader = hiredis.Reader()
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(log.socket))
        connection.sendall(b"HGET {metadata-center}:snapshot bytes\r\n")
        while (reply := reader.gets()) is False:
            reader.feed(connection.recv(65536))
    return int(reply or 0)
