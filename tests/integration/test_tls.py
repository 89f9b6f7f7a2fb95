# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""A real node over TLS: its certificate is renewed while it serves, callers show theirs, profiles are encrypted too."""

from __future__ import annotations

import shutil
import ssl
from collections.abc import Iterator
from http.client import HTTPSConnection
from pathlib import Path

import msgspec
import pytest

from tests.certificates import Authority
from tests.clusters import wait
from tests.nodes import NodeProcess, running_node

CALL = b'{"cluster":"c","request_id":"r","ip":"10.0.0.1"}'


class Place:
    """A node with a certificate of an authority, and the files that it is renewed by."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.authority = Authority(folder)
        self.cert, self.key = self.authority.certificate("node")
        self.node: NodeProcess

    def connect(self, port: int = 0, *, name: str = "") -> HTTPSConnection:
        """A connection, with a certificate of this name or without one."""
        context = ssl.create_default_context(cafile=self.authority.file)
        if name:
            context.load_cert_chain(*self.authority.certificate(name))
        return HTTPSConnection("127.0.0.1", port or self.node.port, timeout=30, context=context)

    def get(self, path: str, *, name: str = "", method: str = "GET", body: bytes | None = None) -> tuple[int, bytes]:
        connection = self.connect(name=name)
        try:
            connection.request(method, path, body)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def serial(self) -> str:
        """The number of the certificate that the node shows now."""
        connection = self.connect()
        try:
            connection.connect()
            found = connection.sock.getpeercert()
            return str(found["serialNumber"])
        finally:
            connection.close()

    def part(self) -> dict[str, str]:
        """What /readyz says of the certificates."""
        parts = msgspec.json.decode(self.get("/readyz")[1])["data"]["parts"]
        found: dict[str, str] = next(each for each in parts if each["name"] == "tls")
        return found

    def metric(self, name: str) -> float:
        """A sample of /metrics, by its whole name with labels."""
        lines = self.get("/metrics", name="gateway")[1].decode().splitlines()
        return float(next(line for line in lines if line.startswith(f"{name} ")).rpartition(" ")[2])


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    found = Place(tmp_path_factory.mktemp("tls"))
    settings = {
        "METADATA_CENTER_HTTP_CERT_FILE": found.cert,
        "METADATA_CENTER_HTTP_KEY_FILE": found.key,
        "METADATA_CENTER_HTTP_CLIENT_CA": found.authority.file,
        "METADATA_CENTER_HTTP_CLIENT_CERT": "optional",
        "METADATA_CENTER_REPLICATION_PEER_NAMES": "node-*",
        "METADATA_CENTER_AUTH_REQUIRED": "true",
        "METADATA_CENTER_PPROF_TLS": "true",
    }
    with running_node(found.folder, **settings) as node:
        found.node = node
        yield found


def test_a_renewal_drops_no_connection_and_half_of_one_is_said_and_not_taken(place: Place) -> None:
    kept = place.connect(name="gateway")
    kept.request("POST", "/v1/load/stats", CALL)
    assert kept.getresponse().read().startswith(b'{"status":"OK"')
    wait(lambda: place.part()["state"] == "ok", "the certificates are seen to be well")
    before = place.serial()
    cert, key = place.authority.certificate("renewed")

    shutil.copy(cert, place.cert)
    wait(lambda: place.part()["state"] == "degraded", "half a pair is noticed")
    assert f"{place.key}: not the key of {place.cert}" in place.part()["detail"]
    assert place.serial() == before
    assert place.metric('metadata_center_tls_files_refused{context="server"}') == 1

    shutil.copy(key, place.key)
    wait(lambda: place.serial() != before, "the pair is taken")
    wait(lambda: place.part()["state"] == "ok", "all is well again")
    assert place.metric('metadata_center_tls_files_refused{context="server"}') == 0
    kept.request("GET", "/v1/load/stats?cluster=c")
    assert msgspec.json.decode(kept.getresponse().read())["data"][0]["queued_req_num"] == 1
    kept.close()


@pytest.mark.parametrize(
    ("name", "statuses"), [("", (401, 401, 401)), ("gateway", (200, 401, 401)), ("node-2", (200, 200, 401))]
)
def test_a_certificate_says_what_its_holder_may(place: Place, name: str, statuses: tuple[int, ...]) -> None:
    load = place.get("/v1/load/stats?cluster=c", name=name)[0]
    replica = place.get("/v1/replica/summary", name=name, method="POST", body=b"")[0]
    operate = place.get("/log/level", name=name, method="POST", body=b'{"LevelParam":"INFO"}')[0]
    assert (load, replica, operate) == statuses
    assert place.get("/livez", name=name)[0] == 200


def test_profiles_are_encrypted_too(place: Place) -> None:
    line = next(each for each in place.node.output if "profiling " in each and "://" in each)
    assert "https://" in line
