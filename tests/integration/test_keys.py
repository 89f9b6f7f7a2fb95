# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Keys as their users meet them: two real nodes that require them, one file for both, and the database of one."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import msgspec
import pytest
from websockets.exceptions import InvalidStatus

from tests.clusters import Cluster, ClusterNode, running_cluster, wait
from tests.nodes import ROOT, START_SECONDS, NodeProcess, inherited_environment
from tests.sockets import closed_with, connect

pytestmark = pytest.mark.timeout(600)  # several nodes and commands, on a machine with much else to do

SECONDS = 60.0
KEYS = {
    "gateway": (["read", "write"], []),
    "limited": (["read", "write"], ["mine-*"]),
    "reader": (["read"], []),
    "operator": (["operate"], []),
    "node": (["replicate"], []),
}


class KeysFile:
    """The file that both nodes read. A key's text is its name with a prefix."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.keys: dict[str, tuple[list[str], list[str]]] = dict(KEYS)
        self.write()

    def write(self) -> None:
        """Replace the file whole, as a careful editor and Kubernetes do."""
        entries = []
        for name, (scopes, clusters) in self.keys.items():
            digest = sha256(f"key-of-{name}".encode()).hexdigest()
            entries += ["[[key]]", f'name = "{name}"', f'sha256 = "{digest}"']
            entries.append(f"scopes = {msgspec.json.encode(scopes).decode()}")
            if clusters:
                entries.append(f"clusters = {msgspec.json.encode(clusters).decode()}")
        self.replace("\n".join(entries) + "\n")

    def replace(self, text: str) -> None:
        new = self.path.with_suffix(".new")
        new.write_text(text)
        new.rename(self.path)


class Nodes:
    """The cluster, its file, and calls with a key of the file by its name."""

    def __init__(self, cluster: Cluster, file: KeysFile, folder: Path) -> None:
        self.nodes = cluster.nodes
        self.file = file
        self.folder = folder

    def ask(
        self, place: int, method: str, target: str, body: Any = None, *, key: str = "", headers: Any = None
    ) -> tuple[int, Any]:
        """Status, and data or the error's reason."""
        sent = {"Authorization": f"Bearer {key}"} if key else {}
        status, _, answer = self.process(place).call(method, target, body, sent | (headers or {}))
        said = msgspec.json.decode(answer)
        return status, said["data"] if status == 200 else said["error"]

    def process(self, place: int) -> NodeProcess:
        process = self.nodes[place].process
        assert process is not None
        return process

    def command(self, *words: str) -> str:
        """What `metadata-center keys` prints, on the database of the first node."""
        environment = inherited_environment(covered=False) | {
            "METADATA_CENTER_NODE_DATA_DIR": str(self.folder / "n0"),
            "METADATA_CENTER_AUTH_KEYS_FILE": str(self.file.path),
        }
        done = subprocess.run(
            [sys.executable, "manage.py", "keys", *words],
            check=False,
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=5 * SECONDS,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def holds(self, place: int, key: str) -> bool:
        return self.ask(place, "GET", "/v1/load/clusters", key=key)[0] == 200

    def part(self, place: int) -> dict[str, Any]:
        """The line of keys in `/readyz`."""
        parts = self.ask(place, "GET", "/readyz")[1]["parts"]
        return next(each for each in parts if each["name"] == "keys")


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    folder = tmp_path_factory.mktemp("keys")
    file = KeysFile(folder / "keys.toml")
    environment = {
        "METADATA_CENTER_AUTH_REQUIRED": "true",
        "METADATA_CENTER_AUTH_KEYS_FILE": str(file.path),
        "METADATA_CENTER_REPLICATION_KEY": "key-of-node",
    }
    with running_cluster(folder, 2, environment=environment) as cluster:
        yield Nodes(cluster, file, folder)


@pytest.fixture(autouse=True)
def the_file_as_it_was(nodes: Nodes) -> Iterator[None]:
    yield
    nodes.file.keys = dict(KEYS)
    nodes.file.write()


def sockets_url(node: ClusterNode, path: str) -> str:
    return f"ws://{node.address}:{node.port}/ws/load/{path}"


def test_without_a_key_nothing_is_answered_but_what_orchestrators_ask(nodes: Nodes) -> None:
    for target in ("/livez", "/readyz", "/version"):
        assert nodes.ask(0, "GET", target)[0] == 200
    for method, target in (("GET", "/v1/load/clusters"), ("GET", "/metrics"), ("POST", "/v1/replica/summary")):
        for key in ("", "key-of-nobody", "gateway"):
            status, error = nodes.ask(0, method, target, b"" if method == "POST" else None, key=key)
            assert (status, error["code"]) == (401, 40101001), (target, key)


def test_each_scope_opens_its_calls_alone(nodes: Nodes) -> None:
    calls = {
        "read": ("GET", "/v1/load/clusters", None),
        "write": ("PUT", "/v1/load/refresh", {"request_ids": ["unknown"]}),
        "operate": ("POST", "/log/level", {"LevelParam": "INFO"}),
    }
    for name, (scopes, clusters) in KEYS.items():
        if not clusters:
            for scope, (method, target, body) in calls.items():
                status, _ = nodes.ask(0, method, target, body, key=f"key-of-{name}")
                assert status == (200 if scope in scopes else 403), (name, scope)
    # Either header, and a scrape of Prometheus'.
    assert nodes.ask(0, "GET", "/v1/load/clusters", headers={"X-API-Key": "key-of-reader"})[0] == 200
    for name, expected in (("reader", 200), ("operator", 403), ("limited", 403)):
        scraped = nodes.process(0).call("GET", "/metrics", None, {"Authorization": f"Bearer key-of-{name}"})
        assert scraped[0] == expected, name
        assert (b"metadata_center_keys{" in scraped[2]) == (expected == 200)


def test_peers_are_let_in_by_their_key_and_by_no_other(nodes: Nodes) -> None:
    add = {"cluster": "both", "request_id": "both-1", "ip": "10.0.0.1"}
    assert nodes.ask(0, "POST", "/v1/load/stats", add, key="key-of-gateway")[0] == 200
    wait(
        lambda: nodes.ask(1, "GET", "/v1/load/request?request_id=both-1", key="key-of-reader")[0] == 200,
        "the peer has the request",
    )
    for name in ("gateway", "operator"):
        assert nodes.ask(0, "POST", "/v1/replica/summary", b"", key=f"key-of-{name}")[0] == 403


def test_a_limited_key_names_its_clusters_alone(nodes: Nodes) -> None:
    key = "key-of-limited"
    for cluster, request_id in (("mine-1", "mine"), ("theirs", "theirs")):
        add = {"cluster": cluster, "request_id": request_id, "ip": "10.0.0.1"}
        assert nodes.ask(0, "POST", "/v1/load/stats", add, key="key-of-gateway")[0] == 200
    assert nodes.ask(0, "GET", "/v1/load/stats?cluster=mine-1", key=key)[0] == 200
    status, error = nodes.ask(0, "GET", "/v1/load/stats?cluster=theirs", key=key)
    assert (status, error["code"]) == (403, 40301001)
    assert [row["cluster"] for row in nodes.ask(0, "GET", "/v1/load/clusters", key=key)[1]] == ["mine-1"]
    operations = [
        {"op": "prompt", "request_id": "mine"},
        {"op": "prompt", "request_id": "theirs"},
        {"op": "prompt", "request_id": "unheard-of"},
        {"op": "drop", "cluster": "mine-1", "ip": "10.0.0.1"},
    ]
    answers = nodes.ask(0, "POST", "/v1/load/batch", {"ops": operations}, key=key)[1]
    assert [each["code"] for each in answers] == [200, 40301001, 200, 40301001]
    dropped = nodes.ask(0, "POST", "/v1/load/batch", {"ops": operations[1:]}, key="key-of-operator")[1]
    assert [each["code"] for each in dropped] == [40301001, 40301001, 200]
    headers = {"Authorization": f"Bearer {key}"}
    with connect(sockets_url(nodes.nodes[0], "mine-1/"), additional_headers=headers) as client:
        assert msgspec.json.decode(client.recv(SECONDS))["type"] == "snapshot"
    for path in ("theirs/", ""):
        url = sockets_url(nodes.nodes[0], path)
        with pytest.raises(InvalidStatus) as caught, connect(url, additional_headers=headers):
            pass
        assert caught.value.response.status_code == 403
    with pytest.raises(InvalidStatus) as caught, connect(sockets_url(nodes.nodes[0], "mine-1/")):
        pass
    assert caught.value.response.status_code == 401


def test_a_change_of_the_file_holds_on_both_nodes_and_ends_what_was_begun(nodes: Nodes) -> None:
    nodes.file.keys["guest"] = (["read"], [])
    nodes.file.write()
    for place in (0, 1):
        wait(lambda place=place: nodes.holds(place, "key-of-guest"), f"node {place} takes the key")  # type: ignore[misc]
    headers = {"Authorization": "Bearer key-of-guest"}
    targets = [sockets_url(node, "quiet/") for node in nodes.nodes]
    wait_target = "/v1/load/stats?cluster=quiet&wait=60"
    with (
        connect(targets[0], additional_headers=headers) as first,
        connect(targets[1], additional_headers=headers) as second,
        connect(targets[0], additional_headers={"Authorization": "Bearer key-of-reader"}) as other,
        ThreadPoolExecutor() as pool,
    ):
        for client in (first, second, other):
            assert msgspec.json.decode(client.recv(SECONDS))["type"] == "snapshot"
        waiting = [waits(pool, node, wait_target, "key-of-guest") for node in nodes.nodes]
        wait(lambda: all(is_waited_for(nodes, place) for place in (0, 1)), "both calls wait")
        del nodes.file.keys["guest"]
        nodes.file.write()
        for client in (first, second):
            assert closed_with(client) == 4401
        assert [call.result(SECONDS) for call in waiting] == [401, 401]
        for place in (0, 1):
            wait(lambda place=place: not nodes.holds(place, "key-of-guest"), f"node {place} refuses it")  # type: ignore[misc]
        add = {"cluster": "quiet", "request_id": "noise", "ip": "10.0.0.1"}
        assert nodes.ask(0, "POST", "/v1/load/stats", add, key="key-of-gateway")[0] == 200
        while "10.0.0.1" not in str(other.recv(SECONDS)):
            pass  # signs of life, until the change comes: this socket goes on
    for place in (0, 1):
        nodes.process(place).wait_said('"removed":["guest"]')
        trail = [line for line in nodes.process(place).output if '"keys of the file changed"' in line]
        said = [line for line in trail if f'who="file {nodes.file.path}"' in line]
        assert any('"added":["guest"]' in line for line in said), trail
        assert any('"removed":["guest"]' in line for line in said), trail
        assert not any(sha256(b"key-of-guest").hexdigest() in line for line in trail)


def waits(pool: ThreadPoolExecutor, node: ClusterNode, target: str, key: str) -> Any:
    """The status of a call that waits, to come."""

    def ask() -> int:
        connection = HTTPConnection(node.address, node.port, timeout=2 * SECONDS)
        try:
            connection.request("GET", target, headers={"Authorization": f"Bearer {key}"})
            return connection.getresponse().status
        finally:
            connection.close()

    return pool.submit(ask)


def is_waited_for(nodes: Nodes, place: int) -> bool:
    scraped = nodes.process(place).call("GET", "/metrics", None, {"Authorization": "Bearer key-of-reader"})[2]
    return b"metadata_center_load_waiting_calls 1.0" in scraped


def test_a_broken_file_keeps_the_keys_and_says_so(nodes: Nodes) -> None:
    nodes.file.replace('[[key]]\nname = "new"\nscopes = ["read"]\n')
    for place in (0, 1):
        line = wait(
            lambda place=place: (found := nodes.part(place))["state"] == "degraded" and found,  # type: ignore[misc]
            f"node {place} reports the file",
        )
        assert f'{nodes.file.path}:1: key "new": sha256: missing; the keys read at ' in line["detail"]
        assert nodes.ask(place, "GET", "/readyz")[1]["status"] == "degraded"
        assert nodes.holds(place, "key-of-gateway")
        assert "ERROR" in nodes.process(place).wait_said("sha256: missing")
    nodes.file.write()
    for place in (0, 1):
        wait(lambda place=place: nodes.part(place)["state"] == "ok", f"node {place} is well again")  # type: ignore[misc]


def test_a_key_of_the_database_holds_where_that_database_is(nodes: Nodes) -> None:
    asked = ("--name", "made", "--scope", "read,write", "--cluster", "mine-*", "--expires", "30d")
    key = nodes.command("create", *asked).split()[-1]
    wait(lambda: nodes.holds(0, key), "the node takes the key")
    assert not nodes.holds(1, key)  # it has a database of its own
    assert nodes.ask(0, "GET", "/v1/load/stats?cluster=theirs", key=key)[0] == 403
    assert nodes.ask(0, "GET", "/v1/load/stats?cluster=mine-9", key=key)[0] == 200
    listed = nodes.command("list")
    assert "made" in listed
    assert "gateway" in listed
    assert key not in listed
    with connect(sockets_url(nodes.nodes[0], "mine-1/"), additional_headers={"X-API-Key": key}) as client:
        client.recv(SECONDS)
        nodes.command("revoke", "made")
        assert closed_with(client) == 4401
    assert not nodes.holds(0, key)


def test_a_file_that_cannot_be_used_at_the_start_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    file = tmp_path / "keys.toml"
    file.write_text('[[key]]\nname = "gateway"\nsha256 = "ab"\nscopes = ["read"]\n')
    settings = {"METADATA_CENTER_HTTP_HOST": "127.0.0.1", "METADATA_CENTER_HTTP_PORT": "0"}
    settings["METADATA_CENTER_AUTH_KEYS_FILE"] = str(file)
    node = NodeProcess(["manage.py", "run"], tmp_path, settings, covered=False)
    assert node.process.wait(START_SECONDS) == 2
    node.stop()
    assert f'{file}:3: key "gateway": sha256: expected the 64 hexadecimal digits' in node.output[-1]
