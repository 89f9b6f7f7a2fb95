# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""A real node against what docs/openapi.yaml says of it: Schemathesis makes requests up from it, right and wrong ones.

Its command line, in a process of its own: its pytest plugin is off (pyproject.toml), nothing else here needs it.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.nodes import CALL_SECONDS, ROOT, NodeProcess, inherited_environment, running_node

MOST_SECONDS = 1800
CONFIG = "tests/contract/schemathesis.toml"
DOCUMENT = ROOT / "docs" / "openapi.yaml"


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeProcess]:
    with running_node(tmp_path_factory.mktemp("node")) as node:
        yield node


def schemathesis(node: NodeProcess, document: Path, *options: str) -> subprocess.CompletedProcess[str]:
    target = ["run", str(document), "--url", f"http://{node.host}:{node.port}"]
    target += ["--request-timeout", str(CALL_SECONDS), "--suppress-health-check", "too_slow"]  # on a busy machine
    return subprocess.run(
        [sys.executable, "-m", "schemathesis.cli", "--config-file", CONFIG, *target, *options],
        cwd=ROOT,
        env=inherited_environment(covered=False),
        capture_output=True,
        text=True,
        check=False,
        timeout=MOST_SECONDS,
    )


def calls_tested(run: subprocess.CompletedProcess[str]) -> int:
    return int(run.stdout.partition("  Tested: ")[2].partition("\n")[0])


def test_every_call_is_as_the_document_says(node: NodeProcess) -> None:
    # The slow run tries 400, and the edges of every value besides: two thousand calls.
    run = schemathesis(node, DOCUMENT, "--max-examples", "4", "--phases", "examples,fuzzing,stateful")
    assert run.returncode == 0, run.stdout + run.stderr
    assert calls_tested(run) == DOCUMENT.read_text().count("operationId: ")


def test_a_document_that_is_wrong_is_found_out(node: NodeProcess, tmp_path: Path) -> None:
    wrong = tmp_path / "openapi.yaml"
    wrong.write_text(DOCUMENT.read_text().replace("- alive\n", "- asleep\n"))
    run = schemathesis(node, wrong, "--max-examples", "1", "--include-path", "/livez")
    assert run.returncode == 1
    assert '"alive" is not one of "asleep"' in run.stdout


@pytest.mark.slow
@pytest.mark.timeout(2 * MOST_SECONDS)
def test_every_call_is_as_the_document_says_for_minutes(node: NodeProcess) -> None:
    run = schemathesis(node, DOCUMENT, "--max-examples", "100")
    assert run.returncode == 0, run.stdout + run.stderr
