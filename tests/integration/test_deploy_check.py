# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Django's own check for production finds nothing where TLS is on, and what it should where it is not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.browsers import LOG_IN, Visitor
from tests.certificates import certificate
from tests.nodes import ROOT, inherited_environment, running_node


def check(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    inherited = inherited_environment(covered=False)
    return subprocess.run(
        [sys.executable, "-W", "error", str(ROOT / "manage.py"), "check", "--deploy", "--fail-level", "WARNING"],
        env=inherited | {"METADATA_CENTER_NODE_DATA_DIR": str(folder)} | environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("profile", ["certificate", "proxy"])
def test_the_production_profile_is_clean(tmp_path: Path, profile: str) -> None:
    cert, key = certificate(tmp_path, "own")
    own = {"METADATA_CENTER_HTTP_CERT_FILE": cert, "METADATA_CENTER_HTTP_KEY_FILE": key}
    environment = own if profile == "certificate" else {"METADATA_CENTER_WEB_TLS_PROXY": "true"}
    url = "postgres://u:p@127.0.0.1:1/db"  # a check asks nothing of it
    done = check(tmp_path / "data", METADATA_CENTER_WEB_DATABASE=url, **environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "no issues" in done.stdout


def test_without_tls_the_check_says_what_is_missing(tmp_path: Path) -> None:
    done = check(tmp_path, METADATA_CENTER_WEB_DEBUG="true")
    assert done.returncode == 1
    for code in ("W004", "W008", "W012", "W016", "W018"):
        assert f"security.{code}" in done.stderr


@pytest.mark.slow
def test_behind_a_proxy_that_ends_tls_log_ins_are_of_tls_alone_and_counted_for_the_real_client(tmp_path: Path) -> None:
    with running_node(tmp_path, METADATA_CENTER_WEB_TLS_PROXY="true", METADATA_CENTER_WEB_LOG_IN_TRIES="2") as node:
        plain = Visitor()
        assert plain.get(node, LOG_IN) == 301
        assert plain.headers["location"].startswith("https://")
        assert plain.get(node, "/metrics") == 200  # Prometheus comes past the proxy
        host = f"127.0.0.1:{node.port}"

        def through_proxy(client: str) -> Visitor:
            return Visitor(X_Forwarded_Proto="https", X_Forwarded_For=client, Referer=f"https://{host}{LOG_IN}")

        visitor = through_proxy("10.1.1.1")
        assert [visitor.log_in(node, "boss", "wrong") for _ in range(3)] == [200, 429, 429]
        assert "max-age=3600" in visitor.headers["strict-transport-security"]
        assert "Secure" in visitor.set_cookies["csrftoken"]
        assert through_proxy("10.1.1.2").log_in(node, "boss", "wrong") == 200
