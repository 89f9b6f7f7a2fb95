# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The environment with LiteLLM, which `make litellm-test` and `make slow-test` install.

It is not that of the tests: LiteLLM is large, and pins packages that a node has in other versions.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.nodes import ROOT, inherited_environment

CLIENT = ROOT / "clients" / "python"


def litellm_python() -> str:
    """Return the Python that has LiteLLM. Skips the test if there is none."""
    python = Path(os.environ.get("LITELLM_PYTHON") or ROOT / ".venv-litellm" / "bin" / "python")
    if not python.exists():
        pytest.skip("needs LiteLLM: make litellm-test")
    return str(python)


def litellm_settings() -> dict[str, str]:
    """Return the environment variables of its processes: our client is found, and nothing is asked of the internet."""
    return inherited_environment(covered=False) | {
        "PYTHONPATH": str(CLIENT / "src"),
        "PYTHONUNBUFFERED": "1",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    }
