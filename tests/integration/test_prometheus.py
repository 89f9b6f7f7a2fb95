# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""A real Prometheus scrapes a real cluster, and each query of each panel of the dashboards finds data there."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest
import yaml
from websockets.sync.client import connect

from tests.clusters import Cluster, running_cluster, wait
from tests.integration.test_deploy import DEPLOY, dashboard_expressions, dashboards, filled
from tests.ports import free_port

PROMETHEUS = shutil.which("prometheus")
WINDOW = "1m"
# They have data only where something went wrong, or where what they are about is set up.
EMPTY_WHEN_WELL = (
    "metadata_center_tls_",
    "metadata_center_keys",
    "metadata_center_quota_refused_total",
    "metadata_center_pages_refused_total",
    "metadata_center_pages_dropped_total",
    "metadata_center_socket_refused_total",
    "metadata_center_task_failures_total",
    "metadata_center_task_skipped_total",
    "metadata_center_replication_lost_events_total",
    "metadata_center_replication_failed_pulls_total",
    "metadata_center_audit_acts_total",
    'status!="200"',
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(PROMETHEUS is None, reason="needs Prometheus"),
]


class Prometheus:
    """A process that scrapes the nodes every 4 s and waits as long for an answer: 1 s is short on a busy machine."""

    def __init__(self, folder: Path, targets: list[str]) -> None:
        assert PROMETHEUS is not None
        self.address = f"127.0.0.1:{free_port()}"
        configuration = {
            "global": {"scrape_interval": "4s", "evaluation_interval": "1s"},
            "rule_files": [str(DEPLOY / "alerts.yml")],
            "scrape_configs": [{"job_name": "metadata-center", "static_configs": [{"targets": targets}]}],
        }
        file = folder / "prometheus.yml"
        file.write_text(yaml.safe_dump(configuration))
        command = [
            PROMETHEUS,
            f"--config.file={file}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address={self.address}",
        ]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(60)

    def ask(self, query: str) -> list[dict[str, object]]:
        """Return the series that a query finds now."""
        with urlopen(f"http://{self.address}/api/v1/query?{urlencode({'query': query})}", timeout=60) as answer:
            found = json.load(answer)
        assert found["status"] == "success", found
        series: list[dict[str, object]] = found["data"]["result"]
        return series

    def alerts(self) -> set[str]:
        with urlopen(f"http://{self.address}/api/v1/alerts", timeout=60) as answer:
            return {alert["labels"]["alertname"] for alert in json.load(answer)["data"]["alerts"]}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    environment = {"METADATA_CENTER_LOAD_REQ_EXPIRE": "40s", "METADATA_CENTER_LOAD_ORPHAN_GRACE": "10m"}
    with running_cluster(tmp_path_factory.mktemp("nodes"), 2, environment=environment) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def prometheus(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    node = cluster.nodes[0]
    prometheus = Prometheus(tmp_path_factory.mktemp("prometheus"), [f"{n.address}:{n.port}" for n in cluster.nodes])
    try:
        with connect(f"ws://{node.address}:{node.port}/ws/load/", open_timeout=60):
            report(cluster, 0)
            wait(lambda: len(prometheus.ask("up == 1")) == len(cluster.nodes), "both nodes are scraped")
            for number in range(1, 4):  # a rate needs two scrapes with different counts
                seen = prometheus.ask("sum(metadata_center_http_requests_total)")
                report(cluster, number)
                wait(lambda seen=seen: prometheus.ask("sum(metadata_center_http_requests_total)") != seen, "a scrape")
            yield prometheus
    finally:
        prometheus.stop()


def report(cluster: Cluster, number: int) -> None:
    """Calls of every kind, to the first node."""
    node = cluster.nodes[0]
    for each in range(20):
        name = f"r{number}-{each}"
        node.call(
            "POST",
            "/v1/load/stats?domain=chat",
            {
                "cluster": "c",
                "request_id": name,
                "ip": f"10.0.0.{each % 4}",
                "prompt_length": 100,
                "owner": "gateway-a",
            },
        )
        if each % 2:
            node.first_token(name)
        node.call("PUT", "/v1/load/tokens", {"request_id": name, "input_tokens": 100, "output_tokens": 7})
        if each % 4 == 3:
            node.done(name)
    node.call("PUT", "/v1/load/owner", {"owner": "gateway-a", "ttl_seconds": 600})
    node.call("POST", "/v1/cache/save", {"cluster": "c", "ip": "10.0.0.1", "prompt_hash": [1, 2, 3]})
    node.call("POST", "/v1/cache/query", {"cluster": "c", "prompt_hash": [1, 2, 3, 4]})
    node.call("GET", "/v1/load/stats?cluster=c")


def test_each_panel_finds_data(prometheus: Prometheus) -> None:
    def empty() -> list[str]:
        asked = [filled(each) for each in dashboard_expressions()]
        return [
            each for each in asked if not any(name in each for name in EMPTY_WHEN_WELL) and not prometheus.ask(each)
        ]

    wait(lambda: empty() == [] or None, f"every query finds data; these do not: {empty()}")


def test_what_is_empty_when_all_is_well_is_still_a_query(prometheus: Prometheus) -> None:
    for each in dashboard_expressions():
        prometheus.ask(filled(each))


def test_a_variable_finds_nodes_and_clusters(prometheus: Prometheus) -> None:
    for dashboard in dashboards():
        for variable in dashboard["templating"]["list"]:
            if variable["type"] == "query":
                metric = variable["definition"].removeprefix("label_values(").partition(",")[0]
                assert prometheus.ask(metric)


def test_a_node_that_is_gone_is_seen_by_the_alerts(prometheus: Prometheus, cluster: Cluster) -> None:
    """Last of all: pending is enough, for the alert waits two minutes."""
    cluster.nodes[1].kill()
    wait(lambda: {"MetadataCenterNodeDown", "MetadataCenterPeerLost"} <= prometheus.alerts(), "the alerts are pending")
