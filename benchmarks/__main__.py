# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""`python -m benchmarks`: runs the benchmarks and writes their results."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from argparse import ArgumentParser
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic

from benchmarks import (
    admin,
    batch,
    keys,
    kvcache,
    lane,
    ledger,
    log,
    million,
    openloop,
    pick,
    plot,
    replication,
    replication_cpu,
    restart,
    results,
    sizes,
    snapshot,
    sockets,
    wrk,
)
from benchmarks.bench import Bench, Benchmark
from benchmarks.machine import cores, facts, stolen_seconds
from benchmarks.openloop_client import OpenLoopFailed
from benchmarks.servers import ROOT, ServerFailed, Servers

BENCHMARKS: tuple[Benchmark, ...] = (
    lane,
    keys,
    batch,
    ledger,
    pick,
    kvcache,
    million,
    openloop,
    replication,
    replication_cpu,
    log,
    sizes,
    restart,
    snapshot,
    sockets,
    admin,
)


def main(arguments: Sequence[str]) -> int:
    """Run what `arguments` ask for. Returns the exit code. A missed reach shows in the results and is not a failure."""
    names = [each.NAME for each in BENCHMARKS]
    parser = ArgumentParser("python -m benchmarks", description="CPU, memory and latency of a node on this machine.")
    parser.add_argument("--only", metavar="NAME,…", help=f"some of {', '.join(names)}; the other results are kept")
    parser.add_argument(
        "--quick", action="store_true", help="a minute, to see that all works; results in var/benchmarks"
    )
    parser.add_argument("--output", type=Path, metavar="FOLDER", help="where RESULTS.md is written (benchmarks)")
    options = parser.parse_args(arguments)
    chosen = options.only.split(",") if options.only else names
    if unknown := sorted(set(chosen) - set(names)):
        parser.error(f"--only: unknown {', '.join(unknown)}; expected some of {', '.join(names)}")
    if {lane.NAME, keys.NAME, batch.NAME, pick.NAME} & set(chosen):
        try:
            wrk.find()
        except wrk.WrkMissing as error:
            parser.exit(2, f"{error}\n")
    output: Path = options.output or ROOT / ("var/benchmarks" if options.quick else "benchmarks")
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        parser.error(f"--output: {output}: {error.strerror}")
    command = " ".join(["python -m benchmarks", *arguments])
    how = f"`{command}` on {facts()}, load average before it {os.getloadavg()[0]:.2f}"
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that what was started is ended
    server_core, load_core = cores()
    os.sched_setaffinity(0, {load_core})
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as folder:
        bench = Bench(Servers(Path(folder), server_core), server_core, options.quick)
        try:
            for each in BENCHMARKS:
                if each.NAME in chosen:
                    _one(each, bench, how, output)
        except (ServerFailed, wrk.WrkFailed, OpenLoopFailed, subprocess.SubprocessError, OSError) as error:
            print(f"{each.NAME}: {error}", file=sys.stderr)
            return 1
    return 0


def _one(benchmark: Benchmark, bench: Bench, how: str, output: Path) -> None:
    """Run one benchmark and put its results into the file at once, so that what follows cannot lose them."""
    print(f"{benchmark.NAME} …", flush=True)
    began, stolen = monotonic(), stolen_seconds()
    section = benchmark.measure(bench)
    took = monotonic() - began
    measured = (
        f"Measured {datetime.now(UTC):%Y-%m-%d %H:%M} UTC in {took:.0f} s by {how}; the host took "
        f"{(stolen_seconds() - stolen) / took:.1%} of a core away."
    )
    if section.bars:
        picture = f"{section.name}.png"
        plot.draw(section.bars, section.bars_title, output / picture)
        section.blocks.insert(1, f"![{section.title}]({picture})")
    if section.curves:
        picture = f"{section.name}.png"
        plot.draw_curves(section.curves, section.curves_title, output / picture)
        section.blocks.append(f"![{section.title}]({picture})")
    text = section.markdown(measured)
    file = output / "RESULTS.md"
    before = file.read_text() if file.exists() else ""
    file.write_text(results.document(before, {section.name: text}, [each.NAME for each in BENCHMARKS]))
    print(text, end="\n\n", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
