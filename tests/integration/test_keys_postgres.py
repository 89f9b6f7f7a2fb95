# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Keys in a database that two real nodes share: made and revoked for both, and held while it is away."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack

import msgspec
import pytest

from tests.clusters import wait
from tests.nodes import ROOT, NodeProcess
from tests.postgres import Postgres, running_postgres

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

COMMAND_SECONDS = 300.0  # on a machine with much else to do
KEYS = "/v1/load/clusters"


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with running_postgres() as server:
        server.execute("CREATE DATABASE people")
        yield server


@pytest.fixture(scope="module")
def nodes(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[NodeProcess]]:
    environment = {
        "POD_IP": "127.0.0.1",
        "METADATA_CENTER_HTTP_HOST": "127.0.0.1",
        "METADATA_CENTER_HTTP_PORT": "0",
        "METADATA_CENTER_PPROF_ENABLE": "false",
        "METADATA_CENTER_AUTH_REQUIRED": "true",
        "METADATA_CENTER_WEB_DATABASE": postgres.url("people"),
    }
    with ExitStack() as stack:
        found = []
        for name in ("one", "two"):
            found.append(NodeProcess(["manage.py", "run"], tmp_path_factory.mktemp(name), environment))
            stack.callback(found[-1].stop)
        for node in found:
            node.port = int(node.wait_for("  API ").split(":")[-1].split("/")[0])
        yield found


def keys(postgres: Postgres, *words: str) -> str:
    """What `metadata-center keys` prints."""
    environment = os.environ | {"METADATA_CENTER_WEB_DATABASE": postgres.url("people")}
    script = [sys.executable, str(ROOT / "manage.py"), "keys", *words]
    done = subprocess.run(script, env=environment, capture_output=True, text=True, check=False, timeout=COMMAND_SECONDS)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def holds(node: NodeProcess, key: str) -> bool:
    return node.call("GET", KEYS, headers={"Authorization": f"Bearer {key}"})[0] == 200


def state(node: NodeProcess) -> str:
    """How keys are, by `/readyz`, which is 200 whatever they are."""
    status, _, answer = node.call("GET", "/readyz")
    assert status == 200
    return next(str(part["state"]) for part in msgspec.json.decode(answer)["data"]["parts"] if part["name"] == "keys")


def on_all(nodes: list[NodeProcess], key: str, *, held: bool) -> None:
    wait(lambda: all(holds(node, key) is held for node in nodes), f"all nodes say {held}")


def test_a_key_is_made_and_revoked_once_for_all_nodes_and_holds_while_the_database_is_away(
    postgres: Postgres, nodes: list[NodeProcess]
) -> None:
    wait(lambda: all(state(node) == "ok" for node in nodes), "keys are ok")
    key = keys(postgres, "create", "--name", "gateway", "--scope", "read,write", "--expires", "30d").split()[-1]
    other = keys(postgres, "create", "--name", "other", "--scope", "read").split()[-1]
    on_all(nodes, key, held=True)
    on_all(nodes, other, held=True)
    postgres.kill()
    wait(lambda: all(state(node) == "degraded" for node in nodes), "keys are degraded")
    for node in nodes:
        assert holds(node, key)
        assert not holds(node, "mc_unknown")
    postgres.start()
    keys(postgres, "revoke", "gateway")
    on_all(nodes, key, held=False)
    on_all(nodes, other, held=True)
    wait(lambda: all(state(node) == "ok" for node in nodes), "keys are ok")
    assert "revoked" in keys(postgres, "list")
