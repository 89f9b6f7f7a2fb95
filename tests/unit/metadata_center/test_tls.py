# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""How a node's certificates are, for /readyz and for Prometheus."""

from __future__ import annotations

from pathlib import Path
from time import time

import pytest

from metadata_center.tls import NodeTls, TlsCollector
from runtime.config import load
from runtime.health import PartState
from tests.certificates import Authority

DAY = 86400.0


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def node_tls(authority: Authority, later: float = 0.0, **environ: str) -> NodeTls:
    cert, key = authority.certificate("node", days=30)
    found = {"METADATA_CENTER_HTTP_CERT_FILE": cert, "METADATA_CENTER_HTTP_KEY_FILE": key} | environ
    return NodeTls(load(None, found).config, wall=lambda: time() + later)


@pytest.mark.parametrize(
    ("later", "state", "words"),
    [
        (0.0, PartState.OK, "expires at"),
        (22 * DAY, PartState.OK, "expires at"),
        (24 * DAY, PartState.DEGRADED, "expires at"),
        (31 * DAY, PartState.DEGRADED, "expired at"),
    ],
)
def test_a_certificate_is_degraded_a_week_before_it_expires(
    authority: Authority, later: float, state: PartState, words: str
) -> None:
    found, detail = node_tls(authority, later).state()
    assert found is state
    assert words in detail


def test_what_is_not_taken_is_degraded_and_named(authority: Authority) -> None:
    tls = node_tls(authority)
    cert = Path(tls.server.files[0])
    cert.write_text("half")
    tls.look()
    tls.look()
    state, detail = tls.state()
    assert state is PartState.DEGRADED
    assert detail == f"changed files are not taken, those from before stay: {cert}: not a certificate in PEM form"
    samples = {
        (each.name, *each.labels.values()): each.value
        for family in TlsCollector(tls).collect()
        for each in family.samples
    }
    assert samples["metadata_center_tls_files_refused", "server"] == 1
    assert samples["metadata_center_tls_renewals_total", "server"] == 0
    expiry = samples["metadata_center_tls_certificate_expiry_timestamp_seconds", "http"]
    assert abs(expiry - time() - 30 * DAY) < 3600


def test_authorities_count_too_and_those_of_callers_are_those_of_peers(authority: Authority) -> None:
    tls = node_tls(
        authority, METADATA_CENTER_HTTP_CLIENT_CA=authority.file, METADATA_CENTER_HTTP_CLIENT_CERT="optional"
    )
    assert set(tls.expires) == {"http", "client-ca", "peer-ca", "replication"}
    assert authority.file in tls.server.files
    assert authority.file in tls.peers.files


def test_a_node_without_tls_has_no_samples() -> None:
    families = list(TlsCollector(None).collect())
    assert families
    assert not any(family.samples for family in families)
