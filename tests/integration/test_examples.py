# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The clients in `examples/` are run against a real node, and leave nothing in flight."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.nodes import ROOT, NodeProcess, running_node

EXAMPLES = ROOT / "examples"


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeProcess]:
    with running_node(tmp_path_factory.mktemp("node")) as node:
        yield node


def said_by(node: NodeProcess, *command: str, **environment: str) -> str:
    """Run an example with the node's address, and return what it prints. Nothing of it is in flight then."""
    words = [*command, f"http://{node.host}:{node.port}"]
    ran = subprocess.run(
        words, capture_output=True, text=True, timeout=300, check=False, cwd=EXAMPLES, env=os.environ | environment
    )
    assert (ran.returncode, ran.stderr) == (0, ""), ran.stdout + ran.stderr
    rows = json.loads(node.call("GET", "/v1/load/stats?cluster=demo")[2])["data"]
    assert sum(row["queued_req_num"] + row.get("token_num", 0) for row in rows) == 0
    return ran.stdout


def test_curl(node: NodeProcess) -> None:
    if shutil.which("curl") is None:
        pytest.skip("needs curl")
    answers = [json.loads(line) for line in said_by(node, "sh", "curl.sh").splitlines()]
    assert [answer["status"] for answer in answers] == ["OK"] * 5
    assert answers[0]["data"]["ip"] in {"10.0.0.7", "10.0.0.8"}
    assert max(row.get("token_num", 0) for row in answers[3]["data"]) == 1264


def test_python(node: NodeProcess) -> None:
    said = said_by(node, sys.executable, "gateway.py")
    assert "goes to 10.0.0." in said
    assert ":8000: 1 in flight, 1264 tokens" in said
    assert said.endswith("ended\n")


def test_python_chooses_by_itself_where_no_node_answers() -> None:
    script = "import gateway; print(gateway.LoadClient('http://127.0.0.1:1').pick('c', 'r', 1, ['10.0.0.7']))"
    ran = subprocess.run([sys.executable, "-c", script], cwd=EXAMPLES, capture_output=True, text=True, check=True)
    assert ran.stdout == "10.0.0.7\n"


@pytest.mark.slow
def test_go(node: NodeProcess, tmp_path: Path) -> None:
    go = shutil.which("go")
    if go is None:
        pytest.skip("needs Go")
    cache = {"GOCACHE": str(tmp_path), "GOFLAGS": "-mod=mod", "GO111MODULE": "off"}
    said = said_by(node, go, "run", "gateway.go", **cache)
    assert ":8000: 1 in flight, 1264 tokens" in said
    assert said.endswith("ended\n")
