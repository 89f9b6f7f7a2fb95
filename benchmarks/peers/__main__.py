# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""`python -m benchmarks.peers`: measures a node and Dynamo's services in turn, and writes PEERS.md."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from argparse import ArgumentParser
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic

import metadata_center
from benchmarks import wrk
from benchmarks.machine import cores, facts, stolen_seconds
from benchmarks.openloop_client import OpenLoop, OpenLoopFailed, steady
from benchmarks.peers.calls import DYNAMO, NODE, SELECT, SLOTS, WORKS, request_id
from benchmarks.peers.cost import Cost, Measured, PeerLoad
from benchmarks.peers.counting import Counted, History, NodeCounter, SlotCounter, histories, play
from benchmarks.peers.dynamo import DynamoMissing, DynamoService, dynamo, python
from benchmarks.peers.page import page
from benchmarks.servers import ROOT, MeasuredNode, ServerFailed, Servers

# Expiry is left out of the measured calls, as in `lane.py`: neither side forgets while it is measured.
SETTINGS = {"METADATA_CENTER_LOAD_GC_INTERVAL": "1h"}

BUSY_LOAD = 2.5  # at its end: a server and the load make two, and more is somebody else's

VERSIONS = """This service {own}, and `ai-dynamo-runtime` {dynamo} from PyPI in an environment of its own
(`requirements/peers.txt`): `python -m dynamo.slot_tracker` and `python -m dynamo.select_service`, both with their
defaults but for `DYN_LOG=warn`. The node runs as `configs/config.toml` says, with its access log in a file; neither
side forgets anything while it is measured. A server has its core to itself but for the other one, which idles; wrk
and the client of the latencies have the other core. Each row has new servers and is warmed up once; the two take
turns. To run it again: `make bench-peers`."""


def main(arguments: Sequence[str]) -> int:
    """Measure, and write the page. Returns the exit code."""
    parser = ArgumentParser("python -m benchmarks.peers", description="A node beside NVIDIA Dynamo's services.")
    parser.add_argument("--dynamo", type=Path, default=ROOT / ".venv-peers", metavar="FOLDER", help="its environment")
    parser.add_argument("--quick", action="store_true", help="short rounds; writes var/benchmarks/PEERS.md")
    parser.add_argument("--nice", type=int, default=0, metavar="N", help="the servers' and the load's niceness")
    options = parser.parse_args(arguments)
    try:
        wrk.find()
        python(options.dynamo)
    except (wrk.WrkMissing, DynamoMissing) as error:
        parser.exit(2, f"{error}\n")
    output = ROOT / ("var/benchmarks" if options.quick else "benchmarks") / "PEERS.md"
    output.parent.mkdir(parents=True, exist_ok=True)
    os.nice(options.nice)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that what was started is ended
    before, began, stolen = os.getloadavg()[0], monotonic(), stolen_seconds()
    server_core, load_core = cores()
    os.sched_setaffinity(0, {load_core})
    try:
        with tempfile.TemporaryDirectory(prefix="benchmarks-") as folder:
            costs, counts = _measure(Path(folder), server_core, options.dynamo, quick=options.quick)
    except (ServerFailed, wrk.WrkFailed, OpenLoopFailed, subprocess.SubprocessError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    after = os.getloadavg()[0]
    command = " ".join(["python -m benchmarks.peers", *arguments])
    how = (
        f"Measured {datetime.now(UTC):%Y-%m-%d %H:%M} UTC in {monotonic() - began:.0f} s by `{command}` on {facts()}; "
        f"niceness {os.nice(0)}, load average {before:.2f} before and {after:.2f} after it; the host took "
        f"{(stolen_seconds() - stolen) / (monotonic() - began):.1%} of a core away."
    )
    text = page(costs, counts, how, _versions(options.dynamo), busy=after > BUSY_LOAD)
    output.write_text(text)
    sys.stdout.write(text)
    return 0


def _measure(
    folder: Path, core: int, environment: Path, *, quick: bool
) -> tuple[list[Cost], list[tuple[History, Counted, Counted]]]:
    load = PeerLoad(folder, rounds=2 if quick else 5, seconds=1 if quick else 2, latency_seconds=1 if quick else 3)
    servers = Servers(folder, core)
    costs = []
    for work in WORKS:
        # New ones for each row: what the row before has left in flight must not weigh on this one.
        with ExitStack() as running:
            node = running.enter_context(servers.node(**SETTINGS))
            service = running.enter_context(dynamo(work.service, environment, core, folder))
            model = f"model-{work.engines}"
            service.register(model, work.engines)
            _fill(node, service, model, work.engines)
            measured = Measured(NODE, node.pid, node.port), Measured(DYNAMO, service.pid, service.port)
            costs.append(load.cost(work, model, *measured))
            _say(costs[-1])
    with ExitStack() as running:
        node = running.enter_context(servers.node(**SETTINGS))
        service = running.enter_context(dynamo(SLOTS, environment, core, folder))
        sides = NodeCounter(node.port), SlotCounter(service.port)
        counts: list[tuple[History, Counted, Counted]] = []
        for number, history in enumerate(histories()):
            model = f"history-{number}"
            service.register(model, 1)
            counts.append((history, play(history, model, sides[0]), play(history, model, sides[1])))
    return costs, counts


def _fill(node: MeasuredNode, service: DynamoService, model: str, engines: int) -> None:
    """Give each engine a request, so that there is something to read and to choose by."""
    for side, port in ((NODE, node.port), (DYNAMO, service.port)):
        picks = side is DYNAMO and service.name == SELECT  # it takes reservations only for what it has chosen
        calls = (side.pick(model, n) if picks else side.start(model, n, engines) for n in range(engines))
        requests = (each.request(request_id(0, n)) for n, each in enumerate(calls))
        with OpenLoop(port, connections=1) as client:
            client.run(steady(2000, engines), requests)


def _say(cost: Cost) -> None:
    sys.stderr.write(f"{cost.work.label}: {cost.node.show()} and {cost.dynamo.show()} µs\n")


def _versions(environment: Path) -> str:
    """Return a sentence on what was compared."""
    ask = "from importlib.metadata import version; print(version('ai-dynamo-runtime'))"
    done = subprocess.run([python(environment), "-c", ask], capture_output=True, text=True, check=True, timeout=60)
    return VERSIONS.format(own=metadata_center.__version__, dynamo=done.stdout.strip())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
