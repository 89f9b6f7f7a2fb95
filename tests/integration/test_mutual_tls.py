# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Two real nodes that know each other by certificates, and two that know each other by the secret over plain HTTP."""

from __future__ import annotations

import re
import shutil
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.certificates import Authority
from tests.clusters import Cluster, running_cluster, wait
from tests.nodes import CALL_SECONDS, NodeProcess

SECRET = "a long secret of the cluster"


class Certified:
    """Nodes with certificates of one authority, and those who call them."""

    def __init__(self, folder: Path) -> None:
        self.authority = Authority(folder)
        self.pairs = [self.authority.certificate(f"node-{place}") for place in range(2)]
        self.gateway = self.context("gateway")
        self.cluster: Cluster

    def context(self, name: str, authority: Authority | None = None) -> ssl.SSLContext:
        """What a client with a certificate of this name calls with."""
        context = ssl.create_default_context(cafile=self.authority.file)
        context.load_cert_chain(*(authority or self.authority).certificate(name))
        return context

    def prepare(self, cluster: Cluster) -> None:
        operator = self.context("node-operator")  # of a name that may see what nodes show each other
        for node, (cert, key) in zip(cluster.nodes, self.pairs, strict=True):
            node.tls = operator
            node.set(
                METADATA_CENTER_HTTP_CERT_FILE=cert,
                METADATA_CENTER_HTTP_KEY_FILE=key,
                METADATA_CENTER_HTTP_CLIENT_CA=self.authority.file,
                METADATA_CENTER_HTTP_CLIENT_CERT="required",
                METADATA_CENTER_REPLICATION_PEER_NAMES="node-*",
            )

    def status(self, context: ssl.SSLContext, method: str, path: str, body: object = b"") -> int:
        """The status of an answer of node 0 to a client."""
        process = self.cluster.nodes[0].process
        assert isinstance(process, NodeProcess)
        process.tls, kept = context, process.tls
        try:
            return process.call(method, path, body)[0]
        finally:
            process.tls = kept


@pytest.fixture(scope="module")
def certified(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Certified]:
    folder = tmp_path_factory.mktemp("mutual")
    found = Certified(folder)
    patient = {"REPLICA_CLIENT_DIAL_TIMEOUT": "10s", "REPLICA_CLIENT_REQUEST_TIMEOUT": "10s"}
    with running_cluster(folder, 2, environment=patient, prepare=found.prepare) as found.cluster:
        wait(found.cluster.connected, "the nodes are connected")
        yield found


@pytest.mark.slow
def test_nodes_replicate_by_certificate_and_go_on_while_theirs_are_renewed(certified: Certified) -> None:
    first, second = certified.cluster.nodes
    first.add("before")
    wait(lambda: "before" in second.live(), "it has arrived")
    # A node that starts first loses the other one until that listens.
    lost = [node.output().count(": lost: ") for node in certified.cluster.nodes]
    for place, pair in enumerate(certified.pairs):
        for new, old in zip(certified.authority.certificate(f"node-{place}-renewed"), pair, strict=True):
            shutil.copy(new, old)
    for node in certified.cluster.nodes:
        assert node.process is not None
        wait(lambda node=node: node.output().count("taken anew") == 2, "both contexts are made anew")  # type: ignore[misc]
    second.add("after")
    wait(lambda: "after" in first.live(), "it has arrived")
    assert [node.output().count(": lost: ") for node in certified.cluster.nodes] == lost
    second.stop()
    second.start()
    certified.cluster.wait_ready()
    wait(certified.cluster.connected, "new connections are made with the new certificates")
    assert set(second.live()) == {"before", "after"}


def test_a_certificate_without_a_name_of_a_node_is_a_gateway(certified: Certified) -> None:
    query = "/v1/load/stats?cluster=c"
    assert certified.status(certified.gateway, "GET", query) == 200
    assert certified.status(certified.gateway, "POST", "/v1/replica/summary") == 403
    assert certified.status(certified.context("node-9"), "POST", "/v1/replica/summary") == 200


def test_without_a_certificate_of_the_authority_nothing_is_answered(certified: Certified, tmp_path: Path) -> None:
    none = ssl.create_default_context(cafile=certified.authority.file)
    other = certified.context("node-0", Authority(tmp_path))
    for context in (none, other):
        with pytest.raises(OSError):  # noqa: PT011 the client may see an alert or a closed connection
            certified.status(context, "GET", "/livez")


# Without TLS


def recorded_heads(carried: bytes) -> list[bytes]:
    return [part for part in carried.split(b"\r\n") if part.startswith(b"X-Replica-")]


@pytest.mark.slow
def test_without_tls_the_secret_is_proved_and_what_was_overheard_is_worthless(tmp_path: Path) -> None:
    """The nodes see each other under an address that discovery does not know, as behind address translation."""
    carried = bytearray()

    def prepare(cluster: Cluster) -> None:
        for wire in cluster.wires.values():
            wire.seen_from = "127.0.0.9"
        cluster.wires[0, 1].recorded = carried

    environment = {
        "REPLICA_SECRET": SECRET,
        "METADATA_CENTER_AUTH_TRUST_LOOPBACK": "false",
        "REPLICA_CLIENT_REQUEST_TIMEOUT": "10s",
    }
    with running_cluster(tmp_path, 2, wires=True, environment=environment, prepare=prepare) as cluster:
        wait(cluster.connected, "the nodes are connected")
        cluster.nodes[0].add("r")
        wait(lambda: "r" in cluster.nodes[1].live(), "it has arrived")
        found = bytes(carried)
        assert {each.partition(b":")[0] for each in recorded_heads(found)} == {b"X-Replica-Proof"}
        assert SECRET.encode() not in found
        target = cluster.nodes[1]
        with socket.create_connection((target.address, target.port), CALL_SECONDS, ("127.0.0.9", 0)) as connection:
            last = b"GET /livez HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
            connection.sendall(found[: found.rindex(b"POST ")] + last)
            answers = b"".join(iter(lambda: connection.recv(1 << 16), b""))
        statuses = re.findall(rb"HTTP/1\.1 ([0-9]+) ", answers)
        assert statuses[-1] == b"200"
        assert set(statuses[:-1]) == {b"200", b"403"}
        assert statuses.count(b"200") == 1 + found.count(b"POST /v1/replica/hello"), "a hello is all that is answered"
