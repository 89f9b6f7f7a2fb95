# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What `deploy/` and `docs/operations.md` say of a node is true of a real one: its metrics, paths and settings."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from runtime.config import load
from tests.nodes import ROOT, NodeProcess, running_node

DEPLOY = ROOT / "deploy"
PROMTOOL = shutil.which("promtool")
needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="needs promtool, which comes with Prometheus")

# What a node takes to stop after its drain: open requests, tasks, profiles and logs have a limit each.
STOP_SECONDS = 10

WORDS = {"and", "bool", "by", "group_left", "group_right", "offset", "on", "or", "unless", "without"}
OF_PROMETHEUS = {"up"}  # made by Prometheus itself
# Of nodes that look for peers. test_prometheus.py asks them of such nodes.
OF_DISCOVERY = set(re.findall(r"metadata_center_discovery_\w+", (ROOT / "docs" / "discovery.md").read_text()))
TARGET_LABELS = {"instance", "job"}  # added by Prometheus


def dashboards() -> list[dict[str, Any]]:
    return [msgspec.json.decode(file.read_bytes()) for file in sorted((DEPLOY / "grafana" / "dashboards").iterdir())]


def dashboard_expressions() -> list[str]:
    found = [
        target["expr"]
        for dashboard in dashboards()
        for panel in dashboard["panels"]
        for target in panel.get("targets", [])
    ]
    return list(dict.fromkeys(found))


def alert_expressions() -> list[str]:
    groups = yaml.safe_load((DEPLOY / "alerts.yml").read_text())["groups"]
    return [rule["expr"] for group in groups for rule in group["rules"]]


def metrics_of(expression: str) -> set[str]:
    """The metrics that a PromQL expression reads: its names that are neither functions, keywords nor labels."""
    bare = re.sub(
        r"\{[^}]*\}|\[[^]]*\]|\"[^\"]*\"|\b(by|without|on|group_left|group_right)\s*\([^)]*\)", " ", expression
    )
    bare = re.sub(r"\boffset\s+\w+", " ", bare)
    return set(re.findall(r"\b[a-z_:][\w:]*\b(?!\s*\()", bare)) - WORDS


def selectors_of(expression: str) -> Iterator[tuple[str, set[str]]]:
    """Each metric with the labels that it is selected by."""
    for name, matchers in re.findall(r"([a-z_:][\w:]*)\{([^}]*)\}", expression):
        yield name, set(re.findall(r"(\w+)\s*[=!]", matchers))


SUBJECTS = (
    "audit",
    "cluster",
    "engine",
    "http",
    "keys",
    "kvcache",
    "ledger",
    "node",
    "notices",
    "owner",
    "page",
    "quota",
    "replication",
    "snapshot",
    "socket",
    "task",
)


class Scrape:
    """The metrics of a node: names as Prometheus stores them, with the labels seen on each."""

    def __init__(self, text: str) -> None:
        self.labels: dict[str, set[str]] = {}
        self.seen: set[str] = set()
        endings = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"]}
        for family in text_string_to_metric_families(text):
            for ending in endings.get(family.type, [""]):
                self.labels[family.name + ending] = set()
            for sample in family.samples:
                self.labels.setdefault(sample.name, set()).update(sample.labels)
                self.seen.add(sample.name)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("node")


@pytest.fixture(scope="module")
def node(folder: Path) -> Iterator[NodeProcess]:
    with running_node(folder) as node:
        yield node


@pytest.fixture(scope="module")
def scrape(node: NodeProcess) -> Scrape:
    """Of a node that has answered every load call."""
    body = {"cluster": "c", "request_id": "r", "ip": "10.0.0.1", "prompt_length": 1}
    assert node.call("POST", "/v1/load/stats", body)[0] == 200
    assert node.call("DELETE", "/v1/load/prompt", {"request_id": "r"})[0] == 200
    assert node.call("DELETE", "/v1/load/stats?domain=d", {"request_id": "r"})[0] == 200
    status, _, text = node.call("GET", "/metrics")
    assert status == 200
    return Scrape(text.decode())


@pytest.mark.parametrize("expression", [*dashboard_expressions(), *alert_expressions()])
def test_a_node_has_every_metric_and_label_that_is_looked_at(expression: str, scrape: Scrape) -> None:
    names = metrics_of(expression)
    assert names
    assert names - OF_PROMETHEUS - OF_DISCOVERY <= scrape.labels.keys()
    for name, labels in selectors_of(expression):
        if name in scrape.seen:
            assert labels - TARGET_LABELS <= scrape.labels[name], name


@pytest.mark.parametrize("subject", SUBJECTS)
def test_the_dashboards_show_all_that_a_node_says_of_a_subject(subject: str, scrape: Scrape) -> None:
    shown = {bare(name) for expression in dashboard_expressions() for name in metrics_of(expression)}
    said = {bare(name) for name in scrape.labels if name.startswith(f"metadata_center_{subject}")}
    assert said
    assert said - shown == set()


def bare(name: str) -> str:
    """A metric's name without what a histogram adds to it."""
    return re.sub(r"_(bucket|sum|count)$", "", name)


def test_every_panel_has_a_title_a_place_and_words() -> None:
    for dashboard in dashboards():
        places = [tuple(panel["gridPos"][key] for key in "xy") for panel in dashboard["panels"]]
        assert len(set(places)) == len(places)
        assert len({panel["id"] for panel in dashboard["panels"]}) == len(places)
        assert all(panel["title"] for panel in dashboard["panels"])
    assert len({dashboard["uid"] for dashboard in dashboards()}) == 2


def test_the_names_in_an_expression_are_told_from_its_functions_labels_and_keywords() -> None:
    expression = (
        'sum by (le, b) (rate(a_total{x=~"y z", w!="v"}[$__rate_interval])) / on () group_left max(c) offset 5m'
    )
    assert metrics_of(expression) == {"a_total", "c"}
    assert list(selectors_of(expression)) == [("a_total", {"x", "w"})]


def test_the_operations_guide_lists_exactly_the_metrics_of_a_node(scrape: Scrape) -> None:
    guide = (ROOT / "docs" / "operations.md").read_text()
    told = set(re.findall(r"^\| `(metadata_center\w+)` \|", guide, re.MULTILINE))
    own = {re.sub(r"_(bucket|sum|count)$", "", name) for name in scrape.labels if name.startswith("metadata_center")}
    assert told == own


def test_the_probes_and_the_health_check_ask_paths_that_answer_200(node: NodeProcess) -> None:
    pod = statefulset()["spec"]["template"]["spec"]
    paths = {pod["containers"][0][f"{kind}Probe"]["httpGet"]["path"] for kind in ("startup", "liveness", "readiness")}
    containerfile = (DEPLOY / "Containerfile").read_text()
    paths |= set(re.findall(r"urlopen\('http://127\.0\.0\.1:8080(/\w+)'", containerfile))
    assert paths == {"/livez", "/readyz"}
    assert {node.call("GET", path)[0] for path in paths} == {200}


def test_kubernetes_sets_what_the_node_knows_and_gives_it_time_to_stop() -> None:
    pod = statefulset()["spec"]["template"]["spec"]
    container = pod["containers"][0]
    environment = {variable["name"]: variable.get("value", "10.0.0.1") for variable in container["env"]}
    config = load(None, environment).config
    assert config.node.address == "10.0.0.1"
    assert config.http.port == config.replication.target_port == container["ports"][0]["containerPort"]
    assert pod["enableServiceLinks"] is False
    waited = float(container["lifecycle"]["preStop"]["exec"]["command"][-1])
    assert pod["terminationGracePeriodSeconds"] >= waited + config.http.drain_timeout_seconds + STOP_SECONDS


def allowed(direction: str, pod: dict[str, str], namespace: dict[str, str] | None, port: int) -> bool:
    """Whether the policy lets a pod of another namespace, or of the nodes' own (None), in at a port, or be reached."""
    rules = policy()["spec"][direction]
    sides = {"ingress": "from", "egress": "to"}
    return any(
        any(selects(peer, pod, namespace) for peer in rule[sides[direction]])
        and port in {each["port"] for each in rule["ports"]}
        for rule in rules
    )


def selects(peer: dict[str, Any], pod: dict[str, str], namespace: dict[str, str] | None) -> bool:
    """Whether an entry of `from` or `to` is for a pod. An entry without a namespace selector is for the own one."""
    assert peer.keys() <= {"podSelector", "namespaceSelector"}
    if "namespaceSelector" in peer:
        if namespace is None or not fits(peer["namespaceSelector"], namespace):
            return False
    elif namespace is not None:
        return False
    return fits(peer["podSelector"], pod)


def fits(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    assert selector.keys() <= {"matchLabels", "matchExpressions"}
    assert selector
    assert all(each["operator"] == "In" for each in selector.get("matchExpressions", ()))
    exact = selector.get("matchLabels", {}).items() <= labels.items()
    return exact and all(labels.get(each["key"]) in each["values"] for each in selector.get("matchExpressions", ()))


def policy() -> dict[str, Any]:
    return dict(yaml.safe_load((DEPLOY / "networkpolicy.yaml").read_text()))


NODE = {"app.kubernetes.io/name": "metadata-center"}
GATEWAY, OPERATOR = {"metadata-center/client": "gateway"}, {"metadata-center/client": "operator"}
PROMETHEUS = {"app.kubernetes.io/name": "prometheus"}
CLIENTS, MONITORING = {"metadata-center/clients": "allowed"}, {"kubernetes.io/metadata.name": "monitoring"}
DNS, SYSTEM = {"k8s-app": "kube-dns"}, {"kubernetes.io/metadata.name": "kube-system"}


@pytest.mark.parametrize(
    ("pod", "namespace", "may"),
    [
        (NODE, None, True),
        (GATEWAY, None, True),
        (OPERATOR, None, True),
        (GATEWAY, CLIENTS, True),
        (OPERATOR, CLIENTS, True),
        (PROMETHEUS, MONITORING, True),
        ({}, None, False),
        ({"app": "web"}, CLIENTS, False),
        (GATEWAY, {}, False),
        (GATEWAY, MONITORING, False),
        (NODE, {}, False),
        (PROMETHEUS, None, False),
        ({}, MONITORING, False),
    ],
)
def test_the_network_policy_lets_in_nodes_gateways_operators_and_prometheus(
    pod: dict[str, str], namespace: dict[str, str] | None, may: bool
) -> None:
    assert allowed("ingress", pod, namespace, 8080) is may
    assert not allowed("ingress", pod, namespace, 8081)  # profiles


def test_the_network_policy_is_for_the_nodes_and_their_ports() -> None:
    spec, pod = policy()["spec"], statefulset()["spec"]["template"]
    assert spec["policyTypes"] == ["Ingress", "Egress"]
    assert spec["podSelector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
    assert NODE.items() <= pod["metadata"]["labels"].items()
    assert {port["containerPort"] for port in pod["spec"]["containers"][0]["ports"]} == {8080}
    assert allowed("egress", NODE, None, 8080)
    assert allowed("egress", DNS, SYSTEM, 53)
    assert not allowed("egress", {}, None, 8080)
    assert not allowed("egress", {}, {}, 443)


def test_the_volume_has_room_for_the_snapshot_of_a_full_node() -> None:
    """For one that stands, one that is written beside it, and one that was set aside; and for the tail."""
    (claim,) = statefulset()["spec"]["volumeClaimTemplates"]
    size = claim["spec"]["resources"]["requests"]["storage"]
    assert size.endswith("Gi")
    full = load(None, {}).config.load.max_requests * 100
    assert int(size.removesuffix("Gi")) * 2**30 >= 3 * full + 300_000_000
    (container,) = statefulset()["spec"]["template"]["spec"]["containers"]
    (mount,) = (each for each in container["volumeMounts"] if each["name"] == claim["metadata"]["name"])
    assert f"METADATA_CENTER_NODE_DATA_DIR={mount['mountPath']}" in (DEPLOY / "Containerfile").read_text()


def test_compose_gives_the_node_time_to_stop_and_mounts_what_is_there() -> None:
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    grace = float(services["metadata-center"]["stop_grace_period"].removesuffix("s"))
    assert grace >= load(None, {}).config.http.drain_timeout_seconds + STOP_SECONDS
    volumes = [volume for service in services.values() for volume in service.get("volumes", [])]
    mounted = [volume.partition(":")[0] for volume in volumes if volume.startswith(".")]
    assert mounted
    assert all((DEPLOY / path).exists() for path in mounted)


def test_the_log_server_of_compose_keeps_what_it_is_given() -> None:
    services = yaml.safe_load((DEPLOY / "compose-log.yaml").read_text())["services"]
    words = services.pop("valkey")["command"][1:]
    settings = dict(zip(words[::2], words[1::2], strict=True))
    assert settings["--maxmemory-policy"] == "noeviction"
    assert (settings["--appendonly"], settings["--appendfsync"]) == ("yes", "everysec")
    assert {each["environment"]["METADATA_CENTER_REPLICATION_LOG"] for each in services.values()} == {
        "valkey://valkey:6379"
    }
    assert len({volume for each in services.values() for volume in each["volumes"]}) == len(services) == 3
    for each in services.values():
        grace = float(each["stop_grace_period"].removesuffix("s"))
        assert grace >= load(None, {}).config.http.drain_timeout_seconds + STOP_SECONDS


def test_every_package_of_the_wheel_gets_into_the_image() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = project["tool"]["setuptools"]["packages"]["find"]["include"]
    kept = (ROOT / ".dockerignore").read_text().splitlines()
    assert [name for name in packages if f"!{name.removesuffix('*')}/" not in kept] == []


def test_the_development_requirements_have_every_extra() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    extras = project["tool"]["setuptools"]["dynamic"]["optional-dependencies"]
    files = [file.removeprefix("requirements/") for extra in extras.values() for file in extra["file"]]
    included = (ROOT / "requirements" / "dev.in").read_text().splitlines()
    assert [file for file in files if f"-r {file}" not in included] == []
    assert files


@needs_promtool
def test_prometheus_accepts_its_configuration_and_the_alerts() -> None:
    promtool("check", "config", str(DEPLOY / "prometheus.yml"))


@needs_promtool
def test_the_alerts_fire_when_they_should_and_only_then() -> None:
    promtool("test", "rules", str(ROOT / "tests" / "integration" / "alert_cases.yml"))


@needs_promtool
def test_prometheus_understands_every_expression_of_the_dashboards(tmp_path: Path) -> None:
    rules = [{"record": f"panel:{n}", "expr": filled(text)} for n, text in enumerate(dashboard_expressions())]
    file = tmp_path / "rules.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}))
    promtool("check", "rules", str(file))


def filled(expression: str) -> str:
    """A dashboard's expression with its variables as Grafana fills them in."""
    return re.sub(r"\$(instance|cluster)\b", ".*", expression.replace("$__rate_interval", "1m"))


def statefulset() -> dict[str, Any]:
    documents = yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text())
    (found,) = [document for document in documents if document["kind"] == "StatefulSet"]
    return dict(found)


def promtool(*arguments: str) -> None:
    assert PROMTOOL is not None
    ran = subprocess.run([PROMTOOL, *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
