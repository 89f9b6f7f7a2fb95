# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Nodes of the first release and of this one side by side, under traffic: a cluster is replaced node by node, and back.

Real processes. The first release comes out of git's history; without that the test is skipped.
"""

from __future__ import annotations

import re
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from io import BytesIO
from pathlib import Path
from threading import Event, Thread

import msgspec
import pytest

from tests.clusters import Cluster, ClusterNode, running_cluster, wait
from tests.gateways import Load, load_on
from tests.nodes import CALL_SECONDS, ROOT

FIRST_RELEASE = "50fcf32"
PROMPTS = [[1, 2, 3], [1, 2, 2**64 - 1], [7]]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture
def first_release(tmp_path: Path) -> Path:
    """A checkout of the first release."""
    found = subprocess.run(
        ["git", "-C", str(ROOT), "archive", "--format=tar", FIRST_RELEASE], capture_output=True, check=False
    )
    if found.returncode:
        pytest.skip(f"git does not know commit {FIRST_RELEASE} here: a clone without history, or no clone")
    folder = tmp_path / "first-release"
    with tarfile.open(fileobj=BytesIO(found.stdout)) as archive:
        archive.extractall(folder, filter="data")
    return folder


class Others:
    """Calls of every kind that the load of `tests/gateways.py` does not make, to all nodes in turn."""

    def __init__(self, cluster: Cluster, prefix: str) -> None:
        self._cluster = cluster
        self._prefix = prefix
        self._stopping = Event()
        self.live: set[str] = set()
        self.rounds = 0

    def run(self) -> None:
        size = len(self._cluster.nodes)
        while not self._stopping.wait(0.02):  # the rate
            number, self.rounds = self.rounds, self.rounds + 1
            request_id = f"{self._prefix}-{number}"
            where = {"cluster": "mixed", "ip": f"10.1.0.{number % 4}", "port": 8000 + number % 2}
            add = {"request_id": request_id, "owner": f"gw-{number % 3}", "prompt_length": 9, **where}
            calls: list[tuple[str, str, dict[str, object]]] = [
                ("PUT", "/v1/load/owner", {"owner": f"gw-{number % 3}", "ttl_seconds": 3600}),
                ("POST", "/v1/load/stats", add),
                ("PUT", "/v1/load/tokens", {"request_id": request_id, "input_tokens": number, "output_tokens": 1}),
                ("PUT", "/v1/load/refresh", {"request_ids": [request_id]}),
                # by address alone: the first release knows no other, and is told of no other
                ("POST", "/v1/cache/save", {"prompt_hash": PROMPTS[number % 3], "cluster": "mixed", "ip": where["ip"]}),
            ]
            if number % 10 == 0:
                calls.append(("DELETE", "/v1/cache", {"cluster": "mixed", "ip": "10.1.0.3"}))
                calls += [
                    ("POST", "/v1/load/stats", {"request_id": f"{request_id}-e", "cluster": "mixed", "ip": "10.1.0.9"}),
                    ("DELETE", "/v1/load/stats", {"request_id": f"{request_id}-e"}),
                    ("DELETE", "/v1/load/engine", {"cluster": "mixed", "ip": "10.1.0.9"}),
                ]
            if number % 2:
                calls.append(("DELETE", "/v1/load/stats", {"request_id": request_id}))
            else:
                self.live.add(request_id)
            for place, (method, path, body) in enumerate(calls, number):
                self._call(place % size, method, path, body)

    def _call(self, place: int, method: str, path: str, body: dict[str, object]) -> None:
        """Make a call at a node, or at the next where that one is being replaced."""
        size = len(self._cluster.nodes)
        for attempt in range(20 * size):
            node = self._cluster.nodes[(place + attempt) % size]
            process = node.process
            if process is None or not node.listed:
                continue
            try:
                status, _, answer = process.call(method, path, body)
            except (OSError, HTTPException):
                continue
            # 404: the engine is not known there, as its request was reported to another node just now.
            if status == 200 or (status == 404 and path == "/v1/load/engine"):
                return
            assert status == 503, (method, path, status, answer)
        raise AssertionError(f"no node took {method} {path}")

    def stop(self) -> None:
        self._stopping.set()


@contextmanager
def traffic(cluster: Cluster, prefix: str) -> Iterator[Others]:
    """Traffic of every kind at all nodes, until the context ends."""
    others = Others(cluster, f"{prefix}o")
    failed: list[BaseException] = []

    def run() -> None:
        try:
            others.run()
        except BaseException as error:
            failed.append(error)

    thread = Thread(target=run, daemon=True)
    thread.start()
    try:
        yield others
    finally:
        others.stop()
        thread.join(2 * CALL_SECONDS)
        assert not thread.is_alive()
    assert not failed, failed


def caches(node: ClusterNode) -> list[list[list[object]]]:
    """What a node knows of each prompt's engines."""
    found = []
    for prompt in PROMPTS:
        answer = node.call("POST", "/v1/cache/query", {"cluster": "mixed", "prompt_hash": prompt, "topk": 100})
        locations = msgspec.json.decode(answer)["data"]["locations"]
        found.append(sorted([each["ip"], each["length"]] for each in locations))
    return found


def differences(cluster: Cluster, prefix: str) -> str:
    """Return what differs among nodes, for a test that failed."""
    copies = [node.copies() for node in cluster.nodes]
    ids = {request_id for each in copies for request_id in each}
    lines = []
    for request_id in sorted(ids):
        found = [each.get(request_id) for each in copies]
        if any(each != found[0] for each in found):
            lines.append("\n  ".join([request_id, *map(str, found)]))
    status = [str(node.status()) for node in cluster.nodes]
    return "\n".join([f"after {prefix}: {len(lines)} requests differ", *lines[:10], *status])


def take_out(node: ClusterNode, load: Load, others: Others) -> None:
    """Take a node out of the balancer's list, and wait until its peers have all that it answered.

    The first release loses what it answers while it pushes for the last time. A stop of this one loses nothing.
    """
    node.listed = False
    calls, rounds = load.calls_of_each(), others.rounds
    wait(
        lambda: others.rounds > rounds and all(now > was for now, was in zip(load.calls_of_each(), calls, strict=True)),
        "no call to it is under way",
    )
    wait(lambda: all(peer["lag_events"] == 0 for peer in node.peers()), "its peers have all that it answered")


def is_well_connected(node: ClusterNode) -> bool:
    """Whether it pushes to all others and pulls from them. A pull that a busy machine was slow at is made again."""
    return all(peer["state"] == "connected" and not peer["last_error"] for peer in node.peers())


def replace(cluster: Cluster, place: int, source: Path, prefix: str) -> None:
    """Replace one node under traffic. Then nothing must differ, anywhere, nor from what was said."""
    node = cluster.nodes[place]
    with load_on(cluster, f"{prefix}g") as load, traffic(cluster, prefix) as others:
        wait(lambda: load.calls > 200 and others.rounds > 20, "traffic")
        if node.source != ROOT:
            take_out(node, load, others)
        node.stop()
        node.source = source
        node.start()
        node.listed = True
        cluster.wait_ready()
        wait(cluster.connected_but_for_lag, "all are connected")
        calls, rounds = load.calls, others.rounds
        wait(lambda: load.calls > calls + 200 and others.rounds > rounds + 20, "traffic with the new node")
    load.stop()
    wait(cluster.connected, "all is pushed")
    try:
        cluster.wait_equal(120)
    except AssertionError as error:
        raise AssertionError(f"{error}\n{differences(cluster, prefix)}") from None
    for each in cluster.nodes:
        assert each.live(f"{prefix}g") == load.truth
        assert set(each.live(f"{prefix}o-")) ^ others.live == set(), "lost, or ended and there again"
        status = each.status()
        assert status.get("left_out_events", 0) == 0, status["left_out"]
        wait(lambda each=each: is_well_connected(each), "its peers are well")  # type: ignore[misc]
        assert all(peer.get("refused_events", 0) == 0 for peer in status["peers"])
    wait(lambda: caches(cluster.nodes[0]) == caches(cluster.nodes[1]) == caches(cluster.nodes[2]), "caches are equal")
    assert caches(cluster.nodes[0])[2]


@pytest.mark.parametrize("back", [False, True], ids=["to this release", "and back"])
def test_a_cluster_is_replaced_node_by_node(first_release: Path, tmp_path: Path, *, back: bool) -> None:
    source, target = (ROOT, first_release) if back else (first_release, ROOT)
    patient = {"REPLICA_CLIENT_REQUEST_TIMEOUT": "5s"}  # pulls get through on a busy machine
    with running_cluster(tmp_path, 3, source=source, environment=patient) as cluster:
        for place in range(3):
            replace(cluster, place, target, f"step{place}")


def shown(carried: bytearray) -> set[bytes]:
    """By which headers a node has shown that it knows the secret."""
    return set(re.findall(rb"\r\n(X-Replica-\w+): ", bytes(carried)))


def test_the_secret_is_in_the_clear_only_while_the_first_release_is_there(first_release: Path, tmp_path: Path) -> None:
    carried: dict[tuple[int, int], bytearray] = {}

    def prepare(cluster: Cluster) -> None:
        cluster.nodes[0].source = first_release
        for pair, wire in cluster.wires.items():
            carried[pair] = wire.recorded = bytearray()
            wire.seen_from = "127.0.0.9"  # as behind address translation: only the secret says who calls

    patient = {"REPLICA_SECRET": "a long secret", "REPLICA_CLIENT_REQUEST_TIMEOUT": "5s"}
    with running_cluster(tmp_path, 2, wires=True, environment=patient, prepare=prepare) as cluster:
        old, new = cluster.nodes
        new.stop()
        new.set(METADATA_CENTER_AUTH_TRUST_LOOPBACK="false")  # which the first release does not know
        new.start()
        cluster.wait_ready()
        wait(cluster.connected, "the two releases are connected")
        old.add("by-the-old")
        new.add("by-the-new")
        cluster.wait_live("by-", ["by-the-old", "by-the-new"])
        wait(lambda: shown(carried[1, 0]) == {b"X-Replica-Secret"}, "the new one shows the old one the secret")
        wait(lambda: shown(carried[0, 1]) == {b"X-Replica-Secret"}, "and the old one the new one")
        new.wait_said("it sends the secret in the clear")
        new.wait_said("is sent the secret in the clear")

        old.stop()
        old.source = ROOT
        old.set(METADATA_CENTER_AUTH_TRUST_LOOPBACK="false")
        for each in carried.values():
            each.clear()
        old.start()
        cluster.wait_ready()
        wait(cluster.connected, "two of this release are connected")
        old.add("by-the-replaced")
        cluster.wait_live("by-", ["by-the-old", "by-the-new", "by-the-replaced"])
        for each in carried.values():
            assert shown(each) == {b"X-Replica-Proof"}
            assert b"a long secret" not in bytes(each)
