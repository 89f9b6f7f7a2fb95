# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""A node starts wherever people put it: real processes, started the way they do."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.nodes import ROOT, running_node


@pytest.mark.parametrize("zone", ["", "Europe/Berlin", "No/Such_Zone"])
def test_it_starts_on_a_machine_without_zone_files(tmp_path: Path, zone: str) -> None:
    """An empty search path is how Python sees such a machine."""
    with running_node(tmp_path, PYTHONTZPATH="", TZ=zone) as node:
        assert node.call("GET", "/readyz")[0] == 200
        assert node.stop() == 0
    assert "Traceback" not in "".join(node.output)


@pytest.mark.parametrize("file", ["base.txt", "dev.txt"])
def test_zone_files_are_installed_on_every_platform(file: str) -> None:
    pins = re.findall(r"^tzdata==\S+(.*)$", (ROOT / "requirements" / file).read_text(), re.MULTILINE)
    assert pins == [""]
