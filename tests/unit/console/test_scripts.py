# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The pure parts of the pages' scripts, in Node.js' own test runner."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent / "scripts"
LEAST = (20, 19)  # reads modules without being told that they are


def test_the_scripts_pure_parts() -> None:
    program = shutil.which("node")
    if program is None:
        pytest.skip("needs Node.js")
    version = subprocess.run([program, "--version"], check=True, capture_output=True, text=True).stdout
    if tuple(map(int, re.findall(r"\d+", version)[:2])) < LEAST:
        pytest.skip("needs Node.js 20.19")
    run = subprocess.run(
        [program, "--test", *sorted(map(str, HERE.glob("*.test.mjs")))], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert re.search(r"pass [1-9]", run.stdout)
