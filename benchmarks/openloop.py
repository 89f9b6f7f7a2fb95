# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""How long a gateway waits: latencies of the mixed load at a fixed rate, alone and beside a node's other work."""

from __future__ import annotations

from time import monotonic

from benchmarks import latency
from benchmarks.bench import Bench
from benchmarks.gateway import LoadGateway
from benchmarks.openloop_client import OpenLoop, OpenLoopRun, Scrape, poisson, steady
from benchmarks.section import Section, table
from benchmarks.servers import call
from benchmarks.spread import Spread

NAME = "openloop"
RATE = 5000
P99_REACH_MS = 5
SCRAPE_REACH_MS = 5
ENGINES = 10_000
EXPIRING = 100_000
FILL_RATE = 25_000


def measure(bench: Bench) -> Section:
    """The client itself, the node plain, at four times the rate, while scraped, and while requests expire."""
    seconds = bench.pick(15, 3)
    rows = []
    with bench.servers.node() as node:
        small = len(call(node.port, LoadGateway(0xFFFF).post(1)))
        with bench.servers.floor([small]) as (_, (port,)):
            rows.append(latency.row("floor server, for the client's own share", _mixed(port, 1, RATE, seconds)))
        rows.append(latency.row("mixed", _mixed(node.port, 2, RATE, seconds), p99_ms=P99_REACH_MS))
        fast = _mixed(node.port, 3, 4 * RATE, seconds)
        rows.append(latency.row(f"mixed, {4 * RATE:,} calls/s", fast))
        with OpenLoop(node.port) as client:
            client.run(steady(RATE, ENGINES), LoadGateway(4, cluster="other", engines=ENGINES).adds())
            load = client.run(poisson(RATE, RATE * seconds), LoadGateway(5).life(), scrape_every_seconds=1.0)
            scrapes = client.scrapes
        what = f"mixed, /metrics with {ENGINES:,} engines scraped each second"
        rows.append(latency.row(what, load, p99_ms=P99_REACH_MS, longest_ms=SCRAPE_REACH_MS))
    rows.append(_expiry(bench))
    return Section(
        NAME,
        f"Latency at {RATE:,} calls/s",
        [
            "An open-loop client with 256 kept connections on another core than the server; calls come at random "
            "times, as from independent callers. Mixed: GET of 100 engines, POST, DELETE prompt, DELETE stats.",
            table(latency.HEAD, rows),
            f"{latency.EXPLAINED} {scraped(scrapes)}",
        ],
    )


def _mixed(port: int, run: int, rate: int, seconds: int) -> OpenLoopRun:
    with OpenLoop(port) as client:
        client.run(steady(rate, rate // 2), LoadGateway(0xF000 + run).life())  # warm up
        return client.run(poisson(rate, rate * seconds), LoadGateway(run).life())


def _expiry(bench: Bench) -> tuple[str, ...]:
    """Add requests that are never ended. They expire in the second round of expiry, their tombstones in the third."""
    expiring = bench.pick(EXPIRING, 20_000)
    interval = round(expiring / FILL_RATE) + 3
    settings = {
        "METADATA_CENTER_LOAD_GC_INTERVAL": f"{interval}s",
        "METADATA_CENTER_LOAD_REQ_EXPIRE": f"{interval - 1}s",
        "METADATA_CENTER_LOAD_TOMBSTONE_EXPIRE": "2s",
    }
    with bench.servers.node(**settings) as node:
        began = monotonic()
        with OpenLoop(node.port) as client:
            client.run(steady(FILL_RATE, expiring), LoadGateway(1, cluster="other", engines=1000).adds())
            seconds = max(3 * interval + 2 - (monotonic() - began), 3.0)
            load = client.run(poisson(RATE, round(RATE * seconds)), LoadGateway(2).life())
        expired, left = node.events()["expired"], node.records()["tombstone"]
    what = f"mixed, while {expired:,} requests expire and are forgotten"
    if expired < expiring or left > expiring // 2:
        what += f" (**of {expiring:,}; {left:,} not yet forgotten**)"
    return latency.row(what, load, p99_ms=P99_REACH_MS)


def scraped(scrapes: list[Scrape]) -> str:
    """How long they took."""
    took = Spread.of([scrape.seconds * 1e3 for scrape in scrapes])
    return f"{len(scrapes)} scrapes of {scrapes[-1].bytes / 1e6:.1f} MB took {took.show(0)} ms each."
