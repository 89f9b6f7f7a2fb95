# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""`python -m benchmarks.scheduling`: run the simulation and write its tables into SCHEDULING.md.

With names of arms (`arms.py`) it only judges these, beside the product's default, and prints a table.
"""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic

from benchmarks.machine import interpreter, processor
from benchmarks.scheduling import report, studies, traces
from benchmarks.scheduling.arms import UnknownArm, arm
from benchmarks.scheduling.study import Case, Results

ROOT = Path(__file__).parents[2]
KEPT = ROOT / "var" / "benchmarks"


def main(arguments: Sequence[str]) -> int:
    """Run what `arguments` ask for. Returns the exit code."""
    parser = ArgumentParser("python -m benchmarks.scheduling", description="How well requests are scheduled.")
    parser.add_argument("arms", nargs="*", help="judge these alone, as pick:least_load; the names are in arms.py")
    parser.add_argument("--full", action="store_true", help="more seeds and longer runs: about an hour and a half")
    parser.add_argument("--trace", choices=("chat", "code"), default="chat", help="for arms that are judged alone")
    parser.add_argument("--rate", type=float, default=0.0, help="the same: requests a second and engine")
    parser.add_argument("--engines", type=int, default=16, help="the same")
    parser.add_argument("--resume", action="store_true", help="keep the runs that an interrupted call has made")
    parser.add_argument("--processes", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--output", type=Path, default=ROOT / "benchmarks" / "SCHEDULING.md")
    options = parser.parse_args(arguments)
    extent = studies.FULL if options.full else studies.SHORT
    cases = list(dict.fromkeys(extent.cases()))
    alone = extent.setting(options.trace, options.engines, options.rate)
    if options.arms:
        try:
            for name in options.arms:
                arm(name)
        except UnknownArm as error:
            parser.error(str(error))
        arms = list(dict.fromkeys([studies.BASE, *options.arms]))
        cases = [Case(alone, seed, name) for name in arms for seed in extent.seeds]
    for name in ("chat", "code"):
        print(f"{name}: {traces.load(name).origin}", flush=True)
    file = KEPT / f"scheduling-{'full' if options.full else 'short'}.jsonl"
    if not options.resume and not options.arms:
        file.unlink(missing_ok=True)
    results = Results(KEPT / "scheduling-alone.jsonl" if options.arms else file)
    if options.arms:
        results.forget()
    began, cpu = monotonic(), 0.0
    for number, done in enumerate(results.fill(cases, options.processes), 1):
        cpu += done.figures.cpu
        if number % 20 == 0:
            print(f"{number} runs, {monotonic() - began:.0f} s, {cpu:.0f} s of CPU", flush=True)
    if options.arms:
        print(report.judged(results, alone, arms, extent.seeds))
        return 0
    measured = (
        f"Simulated {datetime.now(UTC):%Y-%m-%d %H:%M} UTC in {monotonic() - began:.0f} s on {options.processes} "
        f"processes ({processor()}, {interpreter()}): {len(cases):,} runs, {results.requests(cases):,} requests, "
        f"{results.cpu(cases):.0f} s of CPU, {results.pace(extent.setting('chat'), studies.WAYS['chat']):,} requests a "
        f"minute of CPU with 16 engines. Chat: {traces.load('chat').origin}. Code: {traces.load('code').origin}."
    )
    before = options.output.read_text() if options.output.exists() else ""
    options.output.write_text(report.document(before, report.sections(results, extent), measured))
    print(measured)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
