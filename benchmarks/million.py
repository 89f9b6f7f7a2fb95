# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""A real node with a million requests in flight: memory, and the hot path while they come and while they expire."""

from __future__ import annotations

from time import monotonic

from benchmarks import latency
from benchmarks.bench import Bench
from benchmarks.gateway import LoadGateway
from benchmarks.machine import resident_bytes
from benchmarks.openloop_client import OpenLoop, poisson, steady
from benchmarks.section import Reach, Section, table

NAME = "million"
RATE = 5000
BYTES_REACH = 400
PAUSE_REACH_MS = 10


def measure(bench: Bench) -> Section:
    """Fill, then watch the third round of expiry: it ends what was added before the first."""
    requests, fill_rate = bench.pick(1_000_000, 50_000), bench.pick(25_000, 10_000)
    fill_seconds = requests / fill_rate
    interval = round(fill_seconds / 2) + 2
    settings = {
        "METADATA_CENTER_LOAD_GC_INTERVAL": f"{interval}s",
        "METADATA_CENTER_LOAD_REQ_EXPIRE": f"{2 * interval}s",
    }
    with bench.servers.node(**settings) as node:
        began = monotonic()
        with OpenLoop(node.port) as client:
            client.run(steady(RATE, RATE), LoadGateway(1).life())  # warm up
            empty = resident_bytes(node.pid)
            growing = client.run(steady(fill_rate, requests), LoadGateway(2, engines=1000, per_cluster=100).adds())
            full = resident_bytes(node.pid)
            records = node.records()
            seconds = max(3 * interval + 3 - (monotonic() - began), 3.0)
            ending = client.run(poisson(RATE, round(RATE * seconds)), LoadGateway(3).life())
        expired = node.events()["expired"]
    each = (full - empty) / requests
    memory = (
        f"{records['in_flight']:,} requests in flight, added over HTTP, hold {each:.0f} resident bytes of the node "
        f"each ({Reach(each, BYTES_REACH).show(' bytes')}); the whole process holds {full / 1e6:.0f} MB."
    )
    rows = [
        latency.row(f"{fill_rate:,} POST/s, while it grows", growing, longest_ms=PAUSE_REACH_MS),
        latency.row(f"{RATE:,} mixed calls/s, while {expired:,} expire", ending, longest_ms=PAUSE_REACH_MS),
    ]
    return Section(
        NAME, f"A node with {requests:,} requests in flight", [memory, table(latency.HEAD, rows), latency.EXPLAINED]
    )
