# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""LiteLLM's real router routes by load: runs `clients/python/tests_with_litellm` against a real node."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.litellm_environment import CLIENT, litellm_python, litellm_settings
from tests.nodes import running_node

pytestmark = pytest.mark.slow
SECONDS = 1_100  # 40 on an idle machine; LiteLLM alone takes half a minute to import on a busy one


@pytest.mark.timeout(1_200)
def test_its_router_reports_every_way_that_a_request_can_go(tmp_path: Path) -> None:
    python = litellm_python()
    with running_node(tmp_path / "node") as node:
        ran = subprocess.run(
            [python, "-m", "pytest", "-q"],
            cwd=CLIENT / "tests_with_litellm",
            env=litellm_settings() | {"NODE_URLS": f"http://{node.host}:{node.port}"},
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert " passed" in ran.stdout
    assert "skipped" not in ran.stdout
