# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What a node's own snapshot and tail cost: bytes, CPU, and the latency of calls meanwhile."""

from __future__ import annotations

from typing import NamedTuple

from benchmarks.bench import Bench
from benchmarks.gateway import LoadGateway
from benchmarks.machine import cpu_seconds
from benchmarks.openloop_client import OpenLoop, poisson, steady
from benchmarks.replication import FILL_RATE
from benchmarks.section import Reach, Section, table
from benchmarks.spread import Latencies

NAME = "snapshot"
REQUESTS = 100_000
RATE = 2_000
SECONDS = 100  # a snapshot is due every minute, and takes less than the rest of this
P99_REACH_MS = 5.0
SHARE_REACH_PERCENT = 2.0


class Watched(NamedTuple):
    """A node under calls for a while.

    `share`: of its core, in percent.
    `written`, `bytes`, `busy_seconds`, `tail_bytes`: of its snapshot; 0 if it has none.
    """

    calls: Latencies
    share: float
    written: float
    bytes: float
    busy_seconds: float
    tail_bytes: float


def measure(bench: Bench) -> Section:
    """Watch a node with and without a snapshot, in turn."""
    requests, seconds = bench.pick(REQUESTS, 5_000), bench.pick(SECONDS, 3)
    without, with_it = (_watched(bench, requests, seconds, snapshot=each) for each in (False, True))
    more = with_it.share - without.share
    share, p99 = Reach(more, SHARE_REACH_PERCENT), Reach(with_it.calls.p99, P99_REACH_MS)
    rows = [
        (what, f"{each.share:.1f} %", f"{each.calls.p50:.2f} ms", f"{each.calls.p99:.2f} ms")
        for what, each in (("without", without), ("with it", with_it))
    ]
    return Section(
        NAME,
        "A node's own snapshot",
        [
            f"{requests:,} requests in flight and {RATE:,} mixed calls/s for {seconds} s; a snapshot is written once a "
            "minute and each event goes to its tail.",
            table(["snapshot", "of the node's core", "calls p50", "p99"], rows),
            f"So snapshot and tail take {more:.1f} % of the core ({share.show(' %')}); "
            f"p99 of calls: {p99.show(' ms')}. "
            f"The snapshot had {with_it.bytes / 1e6:.1f} MB and was written in {with_it.written:.0f} s, "
            f"{with_it.busy_seconds:.2f} s of them on the event loop; the tails behind it had "
            f"{with_it.tail_bytes / 1e6:.1f} MB.",
        ],
    )


def _watched(bench: Bench, requests: int, seconds: int, *, snapshot: bool) -> Watched:
    settings = {"METADATA_CENTER_NODE_SNAPSHOT": str(snapshot).lower(), "METADATA_CENTER_LOAD_REQ_EXPIRE": "1h"}
    with bench.servers.node(**settings) as node, OpenLoop(node.port, connections=32) as client:
        client.run(steady(FILL_RATE, requests), LoadGateway(1, engines=1000).adds())
        before = cpu_seconds(node.pid)
        run = client.run(poisson(RATE, RATE * seconds), LoadGateway(2).life())
        used = cpu_seconds(node.pid) - before
        metric = node.metrics("metadata_center_snapshot_") if snapshot else {}
    return Watched(
        Latencies.of(run.latencies, scale=1e-6),
        100 * used / seconds,
        *(metric.get(name, 0.0) for name in ("write_seconds", "bytes", "write_busy_seconds", "tail_bytes")),
    )
