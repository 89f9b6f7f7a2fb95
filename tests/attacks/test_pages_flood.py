# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""People's pages under attack, and an honest gateway beside: pages may be refused, calls may not be slow."""

from __future__ import annotations

import json
import subprocess
import sys
from http.client import HTTPConnection
from pathlib import Path
from time import perf_counter

import msgspec
import pytest

from tests.nodes import CALL_SECONDS, ROOT, START_SECONDS, NodeProcess, running_node

CLIENTS = 200
CALLS = 2000


def took_by_honest_calls(node: NodeProcess, calls: int) -> list[float]:
    """The seconds that each of so many calls of a gateway took, in order of their length."""
    gateway = HTTPConnection(node.host, node.port, timeout=CALL_SECONDS)
    took = []
    for number in range(calls // 4):
        request_id = {"request_id": f"r{number}"}
        for method, target, sent in (
            ("GET", "/v1/load/stats?cluster=c", None),
            ("POST", "/v1/load/stats", {"cluster": "c", "ip": "10.0.0.1", "prompt_length": 9, **request_id}),
            ("DELETE", "/v1/load/prompt", request_id),
            ("DELETE", "/v1/load/stats", request_id),
        ):
            began = perf_counter()
            gateway.request(method, target, None if sent is None else msgspec.json.encode(sent))
            response = gateway.getresponse()
            response.read()
            took.append(perf_counter() - began)
            assert response.status == 200
    gateway.close()
    return sorted(took)


def words(took: list[float]) -> str:
    """The middle, the 99th percentile and the longest."""
    middle, late, last = took[len(took) // 2] * 1e3, took[len(took) * 99 // 100] * 1e3, took[-1] * 1e3
    return f"p50 {middle:.2f} p99 {late:.2f} max {last:.1f} ms"


@pytest.mark.slow
def test_calls_stay_fast_while_200_clients_flood_log_in_and_pages(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    migrate = NodeProcess(["manage.py", "migrate"], tmp_path, {})
    assert migrate.process.wait(START_SECONDS) == 0
    migrate.stop()
    with running_node(tmp_path) as node:
        # Tried again where other work of the machine is in the way.
        assert any(stays_fast(node, capsys) for _ in range(5))


def stays_fast(node: NodeProcess, capsys: pytest.CaptureFixture[str]) -> bool:
    """Whether calls beside a flood are as fast as they should be."""
    quiet = took_by_honest_calls(node, CALLS)
    command = [sys.executable, "-m", "tests.attacks.page_flood", node.host, str(node.port), str(CLIENTS)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as flood:
        assert flood.stdout is not None
        assert flood.stdout.readline() == "flooding\n"
        flooded = took_by_honest_calls(node, CALLS)
        threads = len(list(Path(f"/proc/{node.process.pid}/task").iterdir()))
        _, metrics = node.call("GET", "/metrics")[1:]
        statuses = {int(status): count for status, count in json.loads(flood.communicate("")[0]).items()}
    report = f"pages flooded by {CLIENTS} clients: calls alone {words(quiet)}, beside the flood {words(flooded)}"
    with capsys.disabled():
        sys.stdout.write(f"\n{report}; pages by status {statuses}; {threads} threads\n")
    assert threads < 30
    assert statuses[429] > 0  # all of them are one client
    assert statuses[200] > 0
    assert not {status for status in statuses if 500 <= status != 503}
    assert b'metadata_center_quota_refused_total{limit="pages"}' in metrics
    # 10 ms where calls alone take 1 ms at most, in proportion on a machine that others use: alone they took 15 ms on
    # one of 2 cores with 20 busy processes, and 60 beside the flood. One thread a page made them 5 seconds there.
    slowness = max(1.0, quiet[len(quiet) * 99 // 100] / 0.001)
    return flooded[len(flooded) * 99 // 100] <= 0.010 * slowness
