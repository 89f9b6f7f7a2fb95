# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Nodes that began with nothing, as gateways and operators see them."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.clusters import SECONDS, Cluster, ClusterNode, running_cluster, wait
from tests.nodes import running_node

HEADER = "x-metadata-center-cold"


def readyz(node: ClusterNode) -> dict[str, Any]:
    assert node.process is not None
    status, _, body = node.process.call("GET", "/readyz")
    assert status == 200
    data: dict[str, Any] = msgspec.json.decode(body)["data"]
    return data


def cold_seconds(node: ClusterNode) -> int:
    """What an answer says, 0 where it says nothing."""
    assert node.process is not None
    return int(node.process.call("GET", "/v1/load/stats?cluster=c")[1].get(HEADER, 0))


def all_cold(cluster: Cluster) -> bool:
    return all(
        cold_seconds(node) and readyz(node)["cold_since"] and node.status()["cold_since"] for node in cluster.nodes
    )


def none_cold(cluster: Cluster) -> bool:
    return not any(
        cold_seconds(node) or readyz(node)["cold_since"] or node.status()["cold_since"] for node in cluster.nodes
    )


def test_a_node_that_is_alone_says_that_it_began_with_nothing(tmp_path: Path) -> None:
    with running_node(tmp_path) as node:
        ready = node.data("/readyz")
        assert ready["status"] in {"ready", "degraded"}  # the worker may still be starting
        assert ready["cold_since"] == node.data("/v1/replica/peers")["cold_since"]
        assert ready["cold_since"].endswith("Z")
        answers = [
            node.call("POST", "/v1/load/stats", {"cluster": "c", "request_id": "r", "ip": "10.0.0.1"}),
            node.call("GET", "/v1/load/stats?cluster=c"),
            node.call("GET", "/v1/load/stats?cluster=c", headers={"Accept": "text/html"}),  # Django's
            node.call("GET", "/v1/load/stats?cluster=c&wait=0.01"),  # an async handler's
            node.call("POST", "/v1/load/stats", b"no JSON"),
            node.call("GET", "/nope"),
            node.call("HEAD", "/v1/load/stats?cluster=c"),
        ]
        assert [status for status, _, _ in answers] == [200, 200, 200, 200, 400, 404, 200]
        assert all(1 <= int(headers[HEADER]) < 660 for _, headers, _ in answers)
        metrics = node.call("GET", "/metrics")[2].decode()
        assert 1 <= float(metrics.partition("\nmetadata_center_node_cold_seconds ")[2].split()[0]) < 660


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_nodes_are_cold_until_all_that_was_before_has_expired_and_one_that_joins_them_is_not(tmp_path: Path) -> None:
    # On a busy machine a start may take as long as they are cold.
    assert any(is_cold_in_time(tmp_path / str(seconds), seconds) for seconds in (25, 60, 150))


def is_cold_in_time(folder: Path, expire_seconds: int) -> bool:
    """Go through the story. Returns False where nodes took so long to start that they might be cold no more."""
    begun = time.monotonic()

    def looked_in_time() -> bool:
        return time.monotonic() - begun < expire_seconds

    environment = {"METADATA_CENTER_LOAD_REQ_EXPIRE": f"{expire_seconds}s", "METADATA_CENTER_NODE_SNAPSHOT": "false"}
    with running_cluster(folder, 2, environment=environment) as cluster:
        wait(cluster.connected, "they are connected")
        cold = all_cold(cluster)
        if not looked_in_time():
            return False
        assert cold, "both began with nothing, and joined each other"
        wait(lambda: none_cold(cluster), "what was before has expired", expire_seconds + SECONDS)
        cluster.nodes[1].kill()
        cluster.nodes[1].start()
        cluster.wait_ready(1)
        assert none_cold(cluster), "it was filled before it was ready"
        for node in cluster.nodes:
            node.kill()
        begun = time.monotonic()
        for node in cluster.nodes:
            node.start()
        cluster.wait_ready()
        cold = all_cold(cluster)
        if not looked_in_time():
            return False
        assert cold, "all were killed"
    return True
