# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Dynamo's services: started on the measured core, and told of their workers."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from json import dumps, loads
from pathlib import Path
from time import monotonic, sleep
from typing import Any, NamedTuple

from benchmarks.machine import pinned
from benchmarks.peers.calls import BLOCK, SELECT
from benchmarks.replication import free_ports
from benchmarks.servers import START_SECONDS, ServerFailed, end

NO_EVENTS = "tcp://127.0.0.1:9"  # nothing listens there: workers that tell nothing of their caches
ACCEPTED = (200, 201)


class DynamoMissing(Exception):
    """There is no environment with Dynamo."""


class DynamoService(NamedTuple):
    """A running service. `name` is its module's."""

    name: str
    pid: int
    port: int

    def register(self, model: str, engines: int) -> None:
        """Make a model with so many workers."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            for worker in range(1, engines + 1):
                common = {"worker_id": worker, "model_name": model, "block_size": BLOCK}
                if self.name == SELECT:
                    more: dict[str, Any] = {
                        "endpoint": "http://127.0.0.1:9",
                        "data_parallel_start_rank": 0,
                        "data_parallel_size": 1,
                        "kv_events_endpoints": {"0": NO_EVENTS},
                    }
                    status, answer = post(connection, "/workers", common | more)
                else:
                    status, answer = post(connection, "/register", common | {"dp_start": 0, "dp_size": 1})
                if status not in ACCEPTED:
                    raise ServerFailed(f"{self.name}: worker {worker}: {status} {answer}")
        finally:
            connection.close()


def post(connection: HTTPConnection, target: str, body: object, method: str = "POST") -> tuple[int, Any]:
    """Return status and JSON of the answer to a call."""
    connection.request(method, target, dumps(body), {"Content-Type": "application/json"})
    answer = connection.getresponse()
    text = answer.read()
    return answer.status, loads(text) if text else None


def python(environment: Path) -> str:
    """Return the interpreter of Dynamo's environment. Raises DynamoMissing."""
    found = environment / "bin" / "python"
    if not found.exists():
        raise DynamoMissing(f"{environment}: no such environment; `make bench-peers` makes it")
    return str(found)


@contextmanager
def dynamo(name: str, environment: Path, core: int, folder: Path) -> Iterator[DynamoService]:
    """Run one of the services, as it is by default, on a core. It ends with the context."""
    (port,) = free_ports(1)
    said = folder / f"{name}.out"
    with said.open("wb") as output, pinned(core):
        process = subprocess.Popen(
            [python(environment), "-m", f"dynamo.{name}", "--port", str(port)],
            env={**os.environ, "DYN_LOG": "warn"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        _wait_healthy(process, port, said)
        yield DynamoService(name, process.pid, port)
        if process.poll() is not None:
            raise ServerFailed(f"{name} ended:\n{said.read_text()[-2000:]}")
    finally:
        end(process)


def _wait_healthy(process: subprocess.Popen[bytes], port: int, said: Path) -> None:
    ends = monotonic() + START_SECONDS
    while monotonic() < ends and process.poll() is None:
        connection = HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/health")
            if connection.getresponse().status == 200:
                return
        except OSError:
            sleep(0.05)
        finally:
            connection.close()
    raise ServerFailed(f"not healthy within {START_SECONDS:g} s:\n{said.read_text()[-2000:]}")
