# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Calls that take their time, at a real node: who is told what and when, and what it costs the others."""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from time import monotonic

import msgspec
import pytest

from tests.nodes import NodeProcess, running_node

STATS = "/v1/load/stats"
WAITERS = 3
LIMIT_SECONDS = 50.0  # for what must happen; calls that wait, wait longer


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeProcess]:
    settings = {"METADATA_CENTER_HTTP_MAX_WAITERS": str(WAITERS), "METADATA_CENTER_QUOTAS_SHARE": "1"}
    with running_node(tmp_path_factory.mktemp("node"), **settings) as node:
        yield node


def add(node: NodeProcess, cluster: str, request_id: str) -> None:
    body = {"cluster": cluster, "request_id": request_id, "ip": "10.0.0.1"}
    assert node.call("POST", STATS, body)[0] == 200


def waiting(node: NodeProcess) -> int:
    text = node.call("GET", "/metrics")[2].decode()
    return int(float(text.partition("\nmetadata_center_load_waiting_calls ")[2].partition("\n")[0]))


def until_waiting(node: NodeProcess, count: int) -> None:
    ends = monotonic() + LIMIT_SECONDS
    while waiting(node) != count:
        assert monotonic() < ends, f"{waiting(node)} calls wait, expected {count}"


def begin(node: NodeProcess, query: str, headers: dict[str, str] | None = None) -> HTTPConnection:
    """A call whose answer is still to come."""
    connection = HTTPConnection(node.host, node.port, timeout=LIMIT_SECONDS)  # short: the call itself ends in a minute
    connection.request("GET", f"{STATS}?{query}", headers=headers or {})
    return connection


def end(connection: HTTPConnection) -> tuple[int, str | None, bytes, str | None]:
    """Its status, tag and body, and what it says of the connection."""
    response = connection.getresponse()
    found = response.status, response.getheader("ETag"), response.read(), response.getheader("Connection")
    connection.close()
    return found


def test_a_loop_of_long_polls_sees_every_change_once(node: NodeProcess) -> None:
    etag = node.call("GET", f"{STATS}?cluster=loop")[1]["etag"]
    for number in range(3):
        connection = begin(node, "cluster=loop&wait=60", {"If-None-Match": etag})
        until_waiting(node, 1)
        add(node, "other", f"o{number}")  # of no interest
        add(node, "loop", f"l{number}")
        status, fresh, body, _ = end(connection)
        assert status == 200
        assert fresh is not None
        assert fresh != etag
        assert msgspec.json.decode(body)["data"][0]["queued_req_num"] == number + 1
        etag = fresh
    status, same, body, _ = end(begin(node, "cluster=loop&wait=0.05", {"If-None-Match": etag}))
    assert (status, same, body) == (304, etag, b"")
    until_waiting(node, 0)


def test_pages_and_head_do_not_wait_and_a_page_has_no_tag(node: NodeProcess) -> None:
    for method, headers in (("GET", {"Accept": "text/html"}), ("HEAD", {})):
        connection = HTTPConnection(node.host, node.port, timeout=LIMIT_SECONDS)  # short: as above
        connection.request(method, f"{STATS}?cluster={method}&wait=60", headers=headers)
        status, etag, _, _ = end(connection)
        assert (status, etag is None) == (200, method == "GET")
    assert node.call("GET", f"{STATS}?cluster=x", headers={"Accept": "text/html", "If-None-Match": "*"})[0] == 200


def test_no_more_than_may_wait(node: NodeProcess) -> None:
    connections = [begin(node, "cluster=full&wait=60") for _ in range(WAITERS)]
    until_waiting(node, WAITERS)
    status, _, body, _ = end(begin(node, "cluster=full&wait=60"))
    assert status == 429
    assert msgspec.json.decode(body)["error"]["code"] == 42901000
    connections.pop().close()  # a client that leaves makes room for another
    until_waiting(node, WAITERS - 1)
    connections.append(begin(node, "cluster=full&wait=60"))
    until_waiting(node, WAITERS)
    add(node, "full", "f")
    assert [end(connection)[0] for connection in connections] == [200] * WAITERS
    until_waiting(node, 0)


def test_a_client_that_is_reset_leaves_nothing_behind(node: NodeProcess) -> None:
    connection = begin(node, "cluster=reset&wait=60")
    until_waiting(node, 1)
    connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
    connection.close()
    until_waiting(node, 0)


def test_a_node_that_stops_lets_nobody_wait(tmp_path: Path) -> None:
    with running_node(tmp_path) as node:
        add(node, "c", "r")
        etag = node.call("GET", f"{STATS}?cluster=c")[1]["etag"]
        plain, tagged = begin(node, "cluster=c&wait=60"), begin(node, "cluster=c&wait=60", {"If-None-Match": etag})
        until_waiting(node, 2)
        node.process.send_signal(signal.SIGTERM)
        assert end(plain)[::3] == (200, "close")
        assert end(tagged)[::3] == (304, "close")
        assert node.stop() == 0
        assert "Traceback" not in "".join(node.output)


def test_the_largest_batch_lets_others_have_their_turn(node: NodeProcess) -> None:
    ends = monotonic() + LIMIT_SECONDS
    seen = set[int]()
    rounds = 0
    while not any(0 < queued < 10_000 for queued in seen):  # a batch may be done before this process gets to look
        assert monotonic() < ends, f"nobody had a turn in {rounds} batches"
        rounds += 1
        cluster = f"batch-{rounds}"
        seen |= seen_during_a_batch(node, cluster)
    assert node.call("DELETE", "/v1/load/engine", {"cluster": cluster, "ip": "10.0.0.1"})[0] == 200
    (batch,) = [row for row in node.data("/v1/load/clusters") if row["cluster"] == cluster]
    assert (batch["engines"], batch["queued_req_num"]) == (249, 9960)


def seen_during_a_batch(node: NodeProcess, cluster: str) -> set[int]:
    """How many of its 10,000 requests others were told of while it was under way."""
    ops = [
        {"op": "add", "cluster": cluster, "request_id": f"{cluster}-{number}", "ip": f"10.0.0.{number % 250}"}
        for number in range(10_000)
    ]
    body = msgspec.json.encode({"ops": ops})
    done: list[bytes] = []
    sender = threading.Thread(target=lambda: done.append(node.call("POST", "/v1/load/batch", body)[2]))
    sender.start()
    seen = set()
    while sender.is_alive():
        rows = node.data(f"{STATS}?cluster={cluster}") or []
        seen.add(sum(row["queued_req_num"] for row in rows))
    sender.join()
    assert msgspec.json.decode(done[0])["data"] == [{"code": 200}] * len(ops)
    return seen
