# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""A real node over TLS: its certificate is renewed while it serves, callers show theirs, profiles are encrypted too."""

from __future__ import annotations

import shutil
import ssl
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path

import msgspec
import pytest

from tests.certificates import Authority
from tests.clusters import wait
from tests.nodes import CALL_SECONDS, NodeProcess, running_node
from tests.ports import free_port

CALL = b'{"cluster":"c","request_id":"r","ip":"10.0.0.1"}'


class Place:
    """A node with a certificate of an authority, and the files that it is renewed by."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.authority = Authority(folder)
        self.cert, self.key = self.authority.certificate("node")
        self.profiling_port = free_port(["127.0.0.1"])
        self.node: NodeProcess

    def connect(self, port: int = 0, *, name: str = "") -> HTTPSConnection:
        """A connection, with a certificate of this name or without one."""
        context = ssl.create_default_context(cafile=self.authority.file)
        if name:
            context.load_cert_chain(*self.authority.certificate(name))
        return HTTPSConnection("127.0.0.1", port or self.node.port, timeout=CALL_SECONDS, context=context)

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
        status, text = self.get("/metrics", name="gateway")
        assert status == 200
        lines = text.decode().splitlines()
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
        "METADATA_CENTER_PPROF_PORT": str(found.profiling_port),
    }
    with running_node(found.folder, **settings) as node:
        found.node = node
        yield found
        assert node.stop() == 0  # cleanly, whatever connections it had


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


def profile(port: int, context: ssl.SSLContext) -> tuple[int, str, bytes]:
    """Ask the profiling port: status, the serial number of the certificate that it shows, and body."""
    connection = HTTPSConnection("127.0.0.1", port, timeout=CALL_SECONDS, context=context)
    try:
        connection.connect()
        serial = str(connection.sock.getpeercert()["serialNumber"])
        connection.request("GET", "/debug/pprof/threads?debug=1")
        answer = connection.getresponse()
        return answer.status, serial, answer.read()
    finally:
        connection.close()


def client(authority: Authority, name: str = "", *, trusted: Authority | None = None) -> ssl.SSLContext:
    """What a client speaks TLS with: it has a certificate of this name from the authority, or none."""
    context = ssl.create_default_context(cafile=(trusted or authority).file)
    if name:
        context.load_cert_chain(*authority.certificate(name))
    return context


@pytest.mark.parametrize("name", ["", "gateway"])
def test_profiles_are_encrypted_too_and_a_certificate_may_be_shown_for_them(place: Place, name: str) -> None:
    place.node.wait_said(f"https://127.0.0.1:{place.profiling_port}/debug/pprof/")
    own = client(place.authority, name)
    # The ports take a renewed one each in its own time, and a test before this one may have renewed it.
    wait(lambda: profile(place.profiling_port, own)[1] == place.serial(), "both ports show one certificate")
    status, _, body = profile(place.profiling_port, own)
    assert status == 401  # keys are required, and a certificate is no operator's
    assert b"operate" in body


def test_the_profiling_port_speaks_tls_alone_and_takes_no_certificate_of_another_authority(
    place: Place, tmp_path: Path
) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        profile(place.profiling_port, ssl.create_default_context())
    with pytest.raises(OSError, match=r"(?i)alert|closed|reset|EOF|broken pipe"):
        profile(place.profiling_port, client(Authority(tmp_path, "other"), "stranger", trusted=place.authority))
    with closing(HTTPConnection("127.0.0.1", place.profiling_port, timeout=CALL_SECONDS)) as plain:
        plain.request("GET", "/debug/pprof/")
        with pytest.raises((OSError, HTTPException)):
            plain.getresponse()


@pytest.mark.slow
def test_profiles_need_a_certificate_where_one_is_required_and_show_the_renewed_one(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    cert, key = authority.certificate("node")
    port = free_port(["127.0.0.1"])
    settings = {
        "METADATA_CENTER_PPROF_PORT": str(port),
        "METADATA_CENTER_HTTP_CERT_FILE": cert,
        "METADATA_CENTER_HTTP_KEY_FILE": key,
        "METADATA_CENTER_HTTP_CLIENT_CA": authority.file,
        "METADATA_CENTER_HTTP_CLIENT_CERT": "required",
        "METADATA_CENTER_PPROF_TLS": "true",
    }
    with running_node(tmp_path, **settings):
        operator = client(authority, "operator")
        status, serial, body = profile(port, operator)
        assert status == 200
        assert b"MainThread" in body or b"profiling" in body
        for without in (client(authority), client(Authority(tmp_path, "other"), "stranger", trusted=authority)):
            with pytest.raises(OSError, match=r"(?i)alert|closed|reset|EOF|broken pipe"):
                profile(port, without)
        new_cert, new_key = authority.certificate("node", file="renewed")
        shutil.copy(new_key, key)
        shutil.copy(new_cert, cert)
        wait(lambda: profile(port, operator)[1] != serial, "the profiling port shows the new certificate")
        assert profile(port, operator)[0] == 200
