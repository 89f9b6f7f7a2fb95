# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Live load over websockets: real nodes, real clients, real Redis, on loopback."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection

from tests.integration.test_celery_redis import REDIS, Redis
from tests.nodes import NodeProcess, running_node
from tests.sockets import connect

SECONDS = 60.0
TOO_MUCH = 6_000_000  # bytes; the kernel holds up to 4 MiB for a connection that is not read
ENGINES = [f"10.1.{number // 250}.{number % 250}" for number in range(1000)]


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeProcess]:
    settings = {
        "METADATA_CENTER_SOCKETS_MAX_CLIENTS": "20",
        "METADATA_CENTER_SOCKETS_INTERVAL": "20ms",
        "METADATA_CENTER_QUOTAS_SHARE": "1",
    }
    with running_node(tmp_path_factory.mktemp("node"), **settings) as node:
        yield node


class Watcher:
    """A client that knows what it was told, and checks that it fits together."""

    def __init__(self, client: ClientConnection) -> None:
        self.client = client
        self.version = 0
        self.known: dict[str, dict[str, Any]] = {}
        self.kinds: list[str] = []
        self.bytes = 0

    def take(self, seconds: float = SECONDS) -> dict[str, Any]:
        text = self.client.recv(seconds)
        self.bytes += len(text)
        said: dict[str, Any] = msgspec.json.decode(text)
        rows, name = (said.get("engines"), "ip") if "engines" in said else (said.get("clusters"), "cluster")
        self.kinds.append(said["type"])
        match said["type"]:
            case "snapshot":
                self.known = {}
            case "changes":
                assert said["version"] == self.version + 1
                for gone in said["gone"]:
                    del self.known[gone]
            case "alive":
                assert said["version"] == self.version
        self.known.update((row[name], row) for row in rows or [])
        self.version = said["version"]
        return said

    def until(self, known: dict[str, dict[str, Any]]) -> None:
        """Take messages until that is what they add up to."""
        ends = time.monotonic() + SECONDS
        while self.known != known:
            assert time.monotonic() < ends, f"expected {known}, got {self.known}"
            self.take()


@contextmanager
def watch(node: NodeProcess, path: str, **options: Any) -> Iterator[Watcher]:
    address = f"ws://{node.host}:{node.port}/ws/load/{path}"
    with connect(address, max_size=None, compression=None, close_timeout=1, **options) as client:
        yield Watcher(client)


def closed_with(watcher: Watcher, code: int) -> None:
    """Take messages until the node closes, and see how it does."""

    def take_all() -> None:
        while True:
            watcher.take()

    with pytest.raises(ConnectionClosed) as closed:
        take_all()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == code


def rows(node: NodeProcess, cluster: str) -> dict[str, dict[str, Any]]:
    return {row["ip"]: row for row in node.data(f"/v1/load/stats?cluster={cluster}") or []}


def add(node: NodeProcess, cluster: str, request_id: str, ip: str = "10.0.0.1") -> None:
    body = {"cluster": cluster, "request_id": request_id, "ip": ip, "prompt_length": 5}
    assert node.call("POST", "/v1/load/stats", body)[0] == 200


def add_everywhere(connection: socket.socket, cluster: str, turn: int) -> None:
    """One more request to each of 1,000 engines, many in one go on a kept connection."""
    for start in range(0, len(ENGINES), 100):
        calls = b""
        for ip in ENGINES[start : start + 100]:
            body = msgspec.json.encode({"cluster": cluster, "request_id": f"{cluster}-{turn}-{ip}", "ip": ip})
            calls += b"POST /v1/load/stats HTTP/1.1\r\nHost: n\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
        connection.sendall(calls)
        answers = b""
        while answers.count(b"HTTP/1.1 200 OK") < 100:
            read = connection.recv(1 << 20)
            assert read, "the node closed the connection"
            answers += read


def keep_busy(calls: socket.socket, cluster: str, fast: Watcher) -> None:
    """Change all engines until a socket that is not read holds more than the kernel takes; `fast` reads along."""
    turn = 0
    while fast.bytes < TOO_MUCH:
        add_everywhere(calls, cluster, turn)
        turn += 1
        while sum(row["queued_req_num"] for row in fast.known.values()) != turn * len(ENGINES):
            fast.take()


def test_a_change_is_seen_within_a_second_and_replayed_it_is_what_the_node_answers(node: NodeProcess) -> None:
    add(node, "plain", "p0")
    with watch(node, "plain/") as engines, watch(node, "") as clusters:
        said = engines.take()
        assert (said["type"], said["cluster"], said["node"]) == ("snapshot", "plain", f"127.0.0.1:{node.port}")
        assert engines.known == rows(node, "plain")
        clusters.take()
        took = []
        for number, ip in enumerate(("10.0.0.1", "10.0.0.2", "::1"), 1):
            began = time.monotonic()
            add(node, "plain", f"p{number}", ip)
            engines.until(rows(node, "plain"))
            while clusters.known["plain"]["added_total"] != number + 1:
                clusters.take()
            took.append(time.monotonic() - began)
        assert min(took) < 1.0  # the best counts: others have their share of the machine
        node.call("DELETE", "/v1/load/prompt", {"request_id": "p1"})
        node.call("DELETE", "/v1/load/stats", {"request_id": "p2"})
        engines.until(rows(node, "plain"))
        assert clusters.known["plain"]["engines"] == 3
        while (clusters.known["plain"]["queued_req_num"], clusters.known["plain"]["prompt_length"]) != (3, 10):
            clusters.take()
    assert set(engines.kinds[1:]) <= {"changes", "alive"}


def test_a_cluster_that_is_not_there_yet_fills_when_engines_come(node: NodeProcess) -> None:
    with watch(node, "a%2Fb%20%C3%BC/") as watcher:
        said = watcher.take()
        assert (said["cluster"], said["engines"], said["added_total"]) == ("a/b ü", [], 0)
        add(node, "a/b ü", "fills")
        while not watcher.known:
            watcher.take()
        assert watcher.known["10.0.0.1"]["queued_req_num"] == 1


def test_engines_that_went_are_named(tmp_path: Path) -> None:
    settings = {
        "METADATA_CENTER_LOAD_REQ_EXPIRE": "4s",
        "METADATA_CENTER_LOAD_TOMBSTONE_EXPIRE": "1s",
        "METADATA_CENTER_LOAD_GC_INTERVAL": "200ms",
    }
    with running_node(tmp_path, **settings) as node:
        with watch(node, "brief/") as engines, watch(node, "") as clusters:
            engines.take()
            clusters.take()
            for number, ip in enumerate(("10.0.0.1", "10.0.0.2")):
                add(node, "brief", f"b{number}", ip)
                while ip not in engines.known:
                    engines.take()
            engines.until({})
            while "brief" not in clusters.known:
                clusters.take()
            clusters.until({})
        assert engines.kinds[0] == "snapshot"
        assert "snapshot" not in engines.kinds[1:]


@pytest.mark.slow
def test_a_slow_client_is_dropped_back_to_a_snapshot_and_holds_up_nobody(node: NodeProcess) -> None:
    calls = socket.create_connection((node.host, node.port), SECONDS)
    small = socket.socket()
    small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    small.connect((node.host, node.port))
    with calls, watch(node, "busy/") as fast, watch(node, "busy/", sock=small, max_queue=1) as slow:
        slow.take()
        keep_busy(calls, "busy", fast)
        wanted = rows(node, "busy")
        fast.until(wanted)
        slow.until(wanted)
        add(node, "busy", "last", ENGINES[0])
        wanted = rows(node, "busy")
        fast.until(wanted)
        slow.until(wanted)
    assert "snapshot" not in fast.kinds[1:]
    assert "snapshot" in slow.kinds[1:]
    assert len(slow.kinds) < len(fast.kinds)
    metrics = node.call("GET", "/metrics")[2].decode()
    assert "\nmetadata_center_socket_fell_back_total 0.0" not in metrics


def test_pages_of_other_sites_and_other_paths_are_refused(node: NodeProcess) -> None:
    for path, origin, status in (("", "http://evil.example", 403), ("", "null", 403), ("c", None, 404)):
        with pytest.raises(InvalidStatus) as refused, watch(node, path, origin=origin):
            pass
        assert refused.value.response.status_code == status
    with watch(node, "", origin=f"http://{node.host}:{node.port}") as own:
        assert own.take()["type"] == "snapshot"


def until_nobody_watches(node: NodeProcess) -> None:
    """Wait until the node has let go of all sockets that were closed."""
    lines = [f'metadata_center_socket_clients{{stream="{stream}"}} 0.0'.encode() for stream in ("cluster", "summary")]
    ends = time.monotonic() + SECONDS
    while not all(line in node.call("GET", "/metrics")[2] for line in lines):
        assert time.monotonic() < ends, "it holds on to a client that is gone"


def test_clients_over_the_limit_are_told_to_try_later(node: NodeProcess) -> None:
    until_nobody_watches(node)  # of the tests before
    with ExitStack() as clients:
        for number in range(20):
            clients.enter_context(watch(node, f"limit-{number}/")).take()
        with watch(node, "limit-0/", source_address=("127.0.0.9", 0)) as late:
            closed_with(late, 1013)
        with pytest.raises(InvalidStatus, match="429"), watch(node, "limit-0/"):
            pass  # of a client that has all of them
    until_nobody_watches(node)
    with watch(node, "limit-0/") as again:
        assert again.take()["type"] == "snapshot"


def test_a_client_that_says_too_much_is_closed(node: NodeProcess) -> None:
    with watch(node, "talkative/") as watcher:
        watcher.client.send("x" * 4096)
        assert watcher.take()["type"] == "snapshot"
        watcher.client.send("x" * 4097)
        closed_with(watcher, 1009)


def shake_hands(node: NodeProcess, path: str) -> socket.socket:
    """A websocket that will say nothing more, not even to a ping."""
    silent = socket.socket()
    silent.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    silent.settimeout(SECONDS)
    silent.connect((node.host, node.port))
    silent.sendall(
        b"GET %b HTTP/1.1\r\nHost: n\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n" % path.encode()
    )
    assert silent.recv(12) == b"HTTP/1.1 101"
    return silent


@pytest.mark.slow
def test_a_client_that_answers_no_ping_is_cut_off_whether_it_reads_or_not(tmp_path: Path) -> None:
    settings = {
        "METADATA_CENTER_SOCKETS_PING_INTERVAL": "1s",
        "METADATA_CENTER_SOCKETS_PING_TIMEOUT": "5s",  # in which the healthy one answers, on a busy machine too
        "METADATA_CENTER_SOCKETS_INTERVAL": "20ms",
    }
    with running_node(tmp_path, **settings) as node:
        reading = shake_hands(node, "/ws/load/pinged/")
        stuck = shake_hands(node, "/ws/load/pinged/")
        calls = socket.create_connection((node.host, node.port), SECONDS)
        with watch(node, "pinged/") as healthy, reading, stuck, calls:
            while reading.recv(1 << 20):
                pass
            turn = 0
            ends = time.monotonic() + SECONDS
            while b'socket_clients{stream="cluster"} 1.0' not in node.call("GET", "/metrics")[2]:
                assert time.monotonic() < ends, "it holds on to a client that is gone"
                add_everywhere(calls, "pinged", turn)
                turn += 1
            healthy.until(rows(node, "pinged"))
        assert "Traceback" not in "".join(node.output)


def test_a_node_that_stops_says_so(tmp_path: Path) -> None:
    with running_node(tmp_path) as node, watch(node, "c/") as engines, watch(node, "") as clusters:
        for watcher in (engines, clusters):
            watcher.take()
        assert node.stop() == 0
        for watcher in (engines, clusters):
            closed_with(watcher, 1001)
        assert "Traceback" not in "".join(node.output)


@pytest.mark.slow
def test_a_node_that_stops_waits_for_no_socket(tmp_path: Path) -> None:
    settings = {"METADATA_CENTER_HTTP_DRAIN_TIMEOUT": "60s", "METADATA_CENTER_SOCKETS_INTERVAL": "20ms"}
    with running_node(tmp_path, **settings) as node:
        stuck = shake_hands(node, "/ws/load/stuck/")
        calls = socket.create_connection((node.host, node.port), SECONDS)
        with stuck, calls, watch(node, "stuck/") as fast:
            keep_busy(calls, "stuck", fast)
            calls.close()
            assert node.stop(seconds=50) == 0  # it would wait for a minute
            closed_with(fast, 1001)


@pytest.mark.slow
@pytest.mark.skipif(REDIS is None, reason="redis-server is not installed")
def test_nodes_that_share_a_redis_do_not_mix_and_go_on_without_it(tmp_path: Path) -> None:
    redis = Redis(tmp_path)
    redis.start()
    folders = [tmp_path / name for name in ("one", "two")]
    for folder in folders:
        folder.mkdir()
    try:
        url = {"METADATA_CENTER_SOCKETS_REDIS_URL": redis.url}
        with (
            running_node(folders[0], **url) as one,
            running_node(folders[1], **url) as two,
            watch(one, "c/") as engines,
            watch(one, "") as clusters,
            watch(two, "c/") as others,
        ):
            for watcher in (engines, clusters, others):
                watcher.take()
            for number in range(3):
                add(one, "c", f"r{number}")
                engines.until(rows(one, "c"))
            while clusters.known.get("c", {}).get("added_total") != 3:
                clusters.take()
            assert "snapshot" not in engines.kinds[1:]
            assert metric(one, "layer_failures") == 0
            add(two, "c", "r-two", "10.0.0.2")
            others.until(rows(two, "c"))
            assert set(others.known) == {"10.0.0.2"}

            redis.kill()
            add(one, "c", "without")
            engines.until(rows(one, "c"))
            assert metric(one, "layer_failures") > 0
            redis.start()
            add(one, "c", "with")
            engines.until(rows(one, "c"))
            assert one.stop() == two.stop() == 0
            assert "loadstats/" not in "".join(one.output + two.output)
    finally:
        redis.kill()


def metric(node: NodeProcess, name: str) -> float:
    for line in node.call("GET", "/metrics")[2].decode().splitlines():
        if line.startswith(f"metadata_center_socket_{name}_total "):
            return float(line.split()[1])
    raise AssertionError(f"no {name}")


@pytest.mark.slow
def test_daphne_serves_the_same(tmp_path: Path) -> None:
    settings = {"POD_IP": "127.0.0.1", "METADATA_CENTER_PPROF_ENABLE": "false"}
    command = ["-m", "daphne", "-b", "127.0.0.1", "-p", "0", "metadata_center.asgi:application"]
    daphne = NodeProcess(command, tmp_path, settings)
    try:
        daphne.port = int(daphne.wait_for("Listening on TCP address").split(":")[-1])
        add(daphne, "c", "r1")
        with watch(daphne, "c/") as engines, watch(daphne, "") as clusters:
            engines.take()
            clusters.take()
            add(daphne, "c", "r2", "10.0.0.2")
            engines.until(rows(daphne, "c"))
            while clusters.known["c"]["added_total"] != 2:
                clusters.take()
        for path, origin in (("", "http://evil.example"), ("c", None)):
            with pytest.raises(InvalidStatus) as refused, watch(daphne, path, origin=origin):
                pass
            assert refused.value.response.status_code == 403
    finally:
        daphne.stop()
    assert "Traceback" not in "".join(daphne.output)
