# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""`examples/litellm` is run as a reader runs it, in a terminal: the proxy's traffic is seen, and `q` ends all of it."""

from __future__ import annotations

import re
import socket
import sys
from pathlib import Path

import pytest

from tests.clusters import wait
from tests.litellm_environment import litellm_python
from tests.nodes import ROOT
from tests.ports import free_port
from tests.terminals import terminal

pytestmark = pytest.mark.slow
SECONDS = 900.0  # LiteLLM's proxy takes 20 to start, and many times that on a busy machine


def is_open(port: int) -> bool:
    """Return whether a server listens there."""
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.timeout(2_000)
def test_the_example_with_litellms_proxy_shows_its_load_and_ends_whole(tmp_path: Path) -> None:
    pytest.importorskip("textual", reason="needs the client's extra top")
    litellm = Path(litellm_python()).parent / "litellm"
    ports = [free_port() for _ in range(5)]
    command = [sys.executable, "examples/litellm/run.py", "--python", sys.executable, "--litellm", str(litellm)]
    command += ["--folder", str(tmp_path / "run"), "--ports", *map(str, ports)]
    with terminal(tmp_path, command, (120, 40), {}, ROOT) as shown:
        shown.shows("all clusters", "demo", seconds=SECONDS)
        shown.press("2")
        shown.shows("litellm-proxy", "alive", seconds=SECONDS)
        shown.press("1", "Enter")
        engines = [f"127.0.0.1:{port}" for port in ports[2:]]
        shown.shows("cluster demo", *engines, seconds=SECONDS)
        # Twelve users, each of whom has one request: LiteLLM's picks are all counted, and none more than once.
        wait(lambda: re.search(r"3 engines · ([6-9]|1[0-2]) in flight", shown.screen), "the users are served", SECONDS)
        shown.press("q")
        assert shown.exit_code() == 0
    assert not any(map(is_open, ports))
    said = (tmp_path / "run" / "proxy.log").read_text()
    assert "was not reported" not in said  # as our own error would say
