# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""`configs/production.toml` on three nodes: TLS, certificates among them, keys and PostgreSQL, under replay.

All certificates are renewed in the middle. What a file cannot know comes by the environment, as the file says.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from http.client import HTTPSConnection
from pathlib import Path
from ssl import create_default_context
from typing import Any

import msgspec
import pytest
from cryptography import x509

from discovery.local_dns import LocalDns
from runtime.config import load
from tests.certificates import Authority
from tests.clusters import wait
from tests.nodes import CALL_SECONDS, ROOT, NodeProcess
from tests.ports import free_port
from tests.postgres import running_postgres

PRODUCTION = ROOT / "configs" / "production.toml"
# The sample's ten minutes in half a minute, slow enough for a busy machine.
PLAYED = ("--speed", "20", "--engine-speed", "20", "--gateways", "4")
# A gateway gives up after a second. Beside three nodes and a database on two cores that is no fault of theirs.
PATIENT = f"""
import sys
from loadstats.replay import client
from metadata_center.cli import start
client.TIMEOUT_SECONDS = {CALL_SECONDS}
sys.exit(start())
"""
ADDRESSES = ("127.0.0.1", "127.0.0.2", "127.0.0.3")


class ProductionNode(NodeProcess):
    """A node of the file."""

    def __init__(self, folder: Path, environment: dict[str, str], address: str, port: int, authority: str) -> None:
        self._authority = authority
        super().__init__(["manage.py", "run", "-c", str(PRODUCTION)], folder, environment, covered=False)
        self.host, self.port = address, port

    def ask(self, path: str, key: str = "") -> tuple[int, Any]:
        """The status and the envelope of a GET over TLS."""
        connection = HTTPSConnection(
            self.host, self.port, timeout=CALL_SECONDS, context=create_default_context(cafile=self._authority)
        )
        try:
            connection.request("GET", path, headers={"Authorization": f"Bearer {key}"} if key else {})
            response = connection.getresponse()
            return response.status, msgspec.json.decode(response.read())
        finally:
            connection.close()

    def is_ready(self) -> bool:
        try:
            return self.ask("/readyz")[0] == 200
        except OSError:
            return False

    def serial(self) -> int:
        """The serial number of the certificate that a new connection is shown."""
        connection = HTTPSConnection(
            self.host, self.port, timeout=CALL_SECONDS, context=create_default_context(cafile=self._authority)
        )
        try:
            connection.connect()
            shown = connection.sock.getpeercert(binary_form=True)  # type: ignore[union-attr]
            return x509.load_der_x509_certificate(shown).serial_number
        finally:
            connection.close()


class Production:
    """Three nodes, their certificates, and a gateway's key."""

    def __init__(self, folder: Path, database: str, stack: ExitStack) -> None:
        self.folder = folder
        self.authority = Authority(folder)
        port = free_port(ADDRESSES)
        names = stack.enter_context(LocalDns())
        names.publish("metadata-center-peers", "A", *ADDRESSES)
        self._environments = [self._environment(address, port, names.endpoint, database) for address in ADDRESSES]
        self.key = self.manage("keys", "create", "--name", "gateway", "--scope", "read,write").split()[-1]
        self.nodes: list[ProductionNode] = []
        for address, environment in zip(ADDRESSES, self._environments, strict=True):
            node = ProductionNode(folder / address, environment, address, port, self.authority.file)
            stack.callback(node.stop)
            self.nodes.append(node)
        for node in self.nodes:
            wait(node.is_ready, f"{node.host} ready", 120)

    def _environment(self, address: str, port: int, nameserver: str, database: str) -> dict[str, str]:
        cert, key = self.authority.certificate(f"metadata-center-{address}")
        return {
            "POD_IP": address,
            "METADATA_CENTER_NODE_DATA_DIR": str(self.folder / address),
            "METADATA_CENTER_HTTP_HOST": address,
            "METADATA_CENTER_HTTP_PORT": str(port),
            "METADATA_CENTER_HTTP_CERT_FILE": cert,
            "METADATA_CENTER_HTTP_KEY_FILE": key,
            "METADATA_CENTER_HTTP_CLIENT_CA": self.authority.file,
            "META_DATA_CENTER_SVC_DISC_NAMESERVERS": nameserver,
            "REPLICA_CLIENT_TARGET_PORT": str(port),
            "METADATA_CENTER_WEB_DATABASE": database,
            "METADATA_CENTER_LOG_ACCESS_OUTPUT": "off",
        }

    def renew(self) -> None:
        """Put new certificates in the place of all nodes' old ones."""
        for address in ADDRESSES:
            self.authority.certificate(f"metadata-center-{address}")

    def manage(self, *words: str) -> str:
        ran = subprocess.run(
            [sys.executable, "manage.py", *words, "-c", str(PRODUCTION)],
            cwd=ROOT,
            env=os.environ | self._environments[0],
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout


@pytest.fixture
def production(tmp_path: Path) -> Iterator[Production]:
    with ExitStack() as stack:
        postgres = stack.enter_context(running_postgres())
        postgres.execute("CREATE DATABASE production")
        yield Production(tmp_path, postgres.url("production"), stack)


def has_both_peers(node: ProductionNode, key: str) -> bool:
    peers = node.ask("/v1/replica/peers", key)[1]["data"]["peers"]
    return [peer["state"] for peer in peers] == ["connected"] * 2


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_three_nodes_under_replay_while_all_certificates_are_renewed(production: Production, tmp_path: Path) -> None:
    key_file = tmp_path / "gateway.key"
    key_file.write_text(production.key)
    targets = [word for node in production.nodes for word in ("--target", f"https://{node.host}:{node.port}")]
    serials = [node.serial() for node in production.nodes]
    assert production.nodes[0].ask("/v1/load/stats?cluster=c")[0] == 401  # without a key, from loopback too
    shown = ["--ca", production.authority.file, "--key-file", str(key_file)]
    replay = subprocess.Popen(
        [sys.executable, "-c", PATIENT, "replay", *targets, *PLAYED, *shown],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        first = production.nodes[0]

        def plays() -> bool:
            rows = first.ask("/v1/load/clusters", production.key)[1]["data"]
            return sum(row["queued_req_num"] for row in rows) > 0

        wait(plays, "requests in flight", 120)
        production.renew()
        for node, serial in zip(production.nodes, serials, strict=True):
            wait(lambda node=node, serial=serial: node.serial() != serial, f"a new certificate of {node.host}", 120)
        assert replay.poll() is None, "the replay ended before all certificates were renewed"
        text, _ = replay.communicate(timeout=600)
    finally:
        if replay.poll() is None:
            replay.kill()
            replay.communicate()
    assert replay.returncode == 0, text
    assert re.search(r"^[\d,]+ requests, 0 errors, 0 differences$", text, re.MULTILINE), text
    for node in production.nodes:
        wait(lambda node=node: has_both_peers(node, production.key), f"{node.host} is connected to both others")  # type: ignore[misc]


def test_the_file_means_what_the_document_says(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    cert, key = authority.certificate("metadata-center-0")
    environment = {
        "METADATA_CENTER_HTTP_CERT_FILE": cert,
        "METADATA_CENTER_HTTP_KEY_FILE": key,
        "METADATA_CENTER_HTTP_CLIENT_CA": authority.file,
        "METADATA_CENTER_WEB_DATABASE": "postgres://user@127.0.0.1/name",
    }
    config = load(str(PRODUCTION), environment).config
    assert config.auth.required
    assert not config.auth.trust_loopback
    assert not config.pprof.enable
    assert (config.http.client_cert, config.log.format) == ("optional", "json")
    assert config.replication.peer_names
    assert config.discovery.host
