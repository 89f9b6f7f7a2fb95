# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""A node starts wherever people put it: real processes, started the way they do."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from tests.nodes import ROOT, running_node


@pytest.mark.parametrize("zone", ["", "Europe/Berlin", "No/Such_Zone"])
def test_it_starts_on_a_machine_without_zone_files(tmp_path: Path, zone: str) -> None:
    """An empty search path is how Python sees such a machine."""
    with running_node(tmp_path, PYTHONTZPATH="", TZ=zone) as node:
        assert node.call("GET", "/readyz")[0] == 200
        assert node.stop() == 0
    assert "Traceback" not in "".join(node.output)


def test_the_go_version_s_cache_variables_set_what_they_set_there(tmp_path: Path) -> None:
    environment = {
        "METADATA_CENTER_CACHE_GC_INTERVAL": "1m",
        "METADATA_CENTER_CACHE_EXPIRE": "30m",
        "METADATA_CENTER_CACHE_TOPK": "2",
        "METADATA_CENTER_DEBUG_MODE": "true",
    }
    with running_node(tmp_path, **environment) as node:
        assert any("METADATA_CENTER_DEBUG_MODE: accepted, without effect" in line for line in node.output)
        for number in range(4):
            save = {"cluster": "c", "ip": f"10.0.0.{number}", "prompt_hash": [1]}
            assert node.call("POST", "/v1/cache/save", save)[0] == 200
        query = {"cluster": "c", "prompt_hash": [1]}
        for asked, found in (({}, 2), ({"topk": 0}, 2), ({"topk": None}, 2), ({"topk": 3}, 3)):
            answer = msgspec.json.decode(node.call("POST", "/v1/cache/query", query | asked)[2])
            assert len(answer["data"]["locations"]) == found


@pytest.mark.parametrize("file", ["base.txt", "dev.txt"])
def test_zone_files_are_installed_on_every_platform(file: str) -> None:
    pins = re.findall(r"^tzdata==\S+(.*)$", (ROOT / "requirements" / file).read_text(), re.MULTILINE)
    assert pins == [""]
