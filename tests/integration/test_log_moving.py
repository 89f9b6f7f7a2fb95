# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Three real nodes that move from the mesh to a log in a real Valkey and back, one restart at a time, under clients
that never stop: nothing is lost and nothing counts twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.clusters import Cluster, ClusterNode, running_cluster, wait
from tests.obstinate import clients, held_by, truth_of, wait_for_calls
from tests.valkey import ServerProcess, log_server

SECONDS = 120.0


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ServerProcess]:
    with log_server("valkey", tmp_path / "log") as found:
        yield found


def is_in(node: ClusterNode, *, mesh: bool, log: bool) -> bool:
    """Whether a node is ready, has all peers that it should have on each way, and they have all that it took."""
    status = node.status()
    peers, on_log = node.peers(), status.get("log")
    meshed = len(peers) == 2 and all(peer["lag_events"] == 0 for peer in peers)
    logged = on_log is not None and on_log["joined"] and on_log["lag_events"] == 0
    return node.ready() and (meshed or not mesh) and (logged or not log)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_nodes_move_from_the_mesh_to_the_log_and_back(tmp_path: Path, server: ServerProcess) -> None:
    environment = {
        "METADATA_CENTER_HTTP_DRAIN_TIMEOUT": "500ms",
        "METADATA_CENTER_LOAD_REQ_EXPIRE": "1h",
        "METADATA_CENTER_REPLICATION_FLUSH_TIMEOUT": "20s",
        "METADATA_CENTER_NODE_SNAPSHOT": "false",  # what is there must have come over the network
    }
    with running_cluster(tmp_path, 3, environment=environment) as cluster:
        hosts = ",".join(node.address for node in cluster.nodes)
        wait(cluster.connected, "all are connected")
        with clients(cluster, 3) as busy:
            for mesh, log in ((True, True), (False, True), (True, True), (True, False)):
                for place in range(3):
                    wait_for_calls(busy, 200)
                    move(cluster, place, hosts if mesh else "", server.url if log else "")
                    wait(partial(is_in, cluster.nodes[place], mesh=mesh, log=log), "it is in", SECONDS)
        truth = truth_of(busy)
        wait(lambda: held_by(cluster) == [truth] * 3, "all hold what was answered 200")
        cluster.wait_equal()


def move(cluster: Cluster, place: int, hosts: str, log: str) -> None:
    """Restart a node on other ways to the others."""
    node = cluster.nodes[place]
    process = node.process
    assert process is not None
    assert process.stop() == 0, node.output()
    assert "not acknowledged" not in node.output()
    assert "not in the log" not in node.output()
    node.process = None
    node.set(METADATA_CENTER_DISCOVERY_HOSTS=hosts, METADATA_CENTER_REPLICATION_LOG=log)
    node.start()
    cluster.wait_ready(place)
