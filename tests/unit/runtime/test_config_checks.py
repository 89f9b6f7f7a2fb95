# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Members that need each other, certificates and log files."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID

from runtime.config import ConfigError, load
from tests.certificates import Authority, certificate

CERT, KEY = "METADATA_CENTER_HTTP_CERT_FILE", "METADATA_CENTER_HTTP_KEY_FILE"


def refusal(environ: dict[str, str]) -> str:
    with pytest.raises(ConfigError) as caught:
        load(None, environ)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_a_certificate_and_its_key_are_taken(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path, "a")
    http = load(None, {CERT: cert, KEY: key}).config.http
    assert (http.cert_file, http.key_file) == (cert, key)


def test_a_certificate_needs_a_key_and_a_key_a_certificate(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path, "a")
    assert refusal({CERT: cert}) == f"environment {CERT}: needs [HTTP] KeyFile beside it"
    assert refusal({KEY: key}) == f"environment {KEY}: needs [HTTP] CertFile beside it"


def test_an_unreadable_certificate_or_key_is_named(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path, "a")
    none = str(tmp_path / "none.pem")
    assert refusal({CERT: none, KEY: key}) == f"environment {CERT}: {none}: No such file or directory"
    assert refusal({CERT: cert, KEY: str(tmp_path)}) == f"environment {KEY}: {tmp_path}: Is a directory"


def test_what_is_no_certificate_or_no_key_is_named(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path, "a")
    junk = tmp_path / "junk.pem"
    junk.write_text("junk")
    no_key = "not a private key in PEM form without a passphrase"
    assert refusal({CERT: str(junk), KEY: key}) == f"environment {CERT}: {junk}: not a certificate in PEM form"
    assert refusal({CERT: cert, KEY: str(junk)}) == f"environment {KEY}: {junk}: {no_key}"


def test_a_key_behind_a_passphrase_is_refused_without_asking_for_it(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path, "a", b"open sesame")
    problem = "not a private key in PEM form without a passphrase"
    assert refusal({CERT: cert, KEY: key}) == f"environment {KEY}: {key}: {problem}"


def test_the_key_of_another_certificate_is_refused(tmp_path: Path) -> None:
    cert, _ = certificate(tmp_path, "a")
    _, key = certificate(tmp_path, "b")
    assert refusal({CERT: cert, KEY: key}) == f"environment {KEY}: {key}: not the key of {cert}"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HTTP_CLIENT_CERT", "optional"),
        ("HTTP_CLIENT_CA", "ca.crt"),
        ("PPROF_TLS", "true"),
        ("REPLICATION_CERT_FILE", "a.crt"),
        ("REPLICATION_KEY_FILE", "a.key"),
        ("REPLICATION_PEER_CA", "ca.crt"),
        ("REPLICATION_PEER_NAMES", "node"),
    ],
)
def test_whatever_says_how_tls_is_spoken_needs_a_certificate(name: str, value: str) -> None:
    name = f"METADATA_CENTER_{name}"
    assert refusal({name: value}) == f"environment {name}: needs [HTTP] CertFile beside it"


def test_certificates_of_callers_need_an_authority(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path, "a")
    mode = "METADATA_CENTER_HTTP_CLIENT_CERT"
    problem = f'environment {mode}: "required" needs [HTTP] ClientCA beside it'
    assert refusal({CERT: cert, KEY: key, mode: "required"}) == problem


@pytest.mark.parametrize("name", ["HTTP_CLIENT_CA", "REPLICATION_PEER_CA"])
def test_authorities_are_read_at_the_start(tmp_path: Path, name: str) -> None:
    name = f"METADATA_CENTER_{name}"
    cert, key = certificate(tmp_path, "a")
    none, junk = tmp_path / "none.pem", tmp_path / "junk.pem"
    junk.write_text("junk")
    good = {CERT: cert, KEY: key}
    assert refusal(good | {name: str(none)}) == f"environment {name}: {none}: No such file or directory"
    assert refusal(good | {name: str(junk)}) == f"environment {name}: {junk}: not a certificate in PEM form"
    assert load(None, good | {name: Authority(tmp_path).file}).config.http.cert_file == cert


def test_the_pair_for_peers_is_checked_as_the_other_is(tmp_path: Path) -> None:
    cert, key = certificate(tmp_path, "a")
    other, _ = certificate(tmp_path, "b")
    names = "METADATA_CENTER_REPLICATION_CERT_FILE", "METADATA_CENTER_REPLICATION_KEY_FILE"
    environ = {CERT: cert, KEY: key}
    assert refusal(environ | {names[0]: other}) == f"environment {names[0]}: needs [Replication] KeyFile beside it"
    wrong = environ | {names[0]: other, names[1]: key}
    assert refusal(wrong) == f"environment {names[1]}: {key}: not the key of {other}"


def test_where_certificates_are_required_a_node_must_be_able_to_show_its_own(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    cert, key = authority.certificate("server", purposes=(ExtendedKeyUsageOID.SERVER_AUTH,))
    environ = {
        CERT: cert,
        KEY: key,
        "METADATA_CENTER_HTTP_CLIENT_CA": authority.file,
        "METADATA_CENTER_HTTP_CLIENT_CERT": "required",
    }
    assert f"environment {CERT}: {cert}: for servers alone" in refusal(environ)
    for_peers = authority.certificate("client", purposes=(ExtendedKeyUsageOID.CLIENT_AUTH,))
    pair = "METADATA_CENTER_REPLICATION_CERT_FILE", "METADATA_CENTER_REPLICATION_KEY_FILE"
    assert load(None, environ | dict(zip(pair, for_peers, strict=True))).config.replication.cert_file == for_peers[0]


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "::", "fe80::1%lo", "localhost", "a.b-c.example.", "_http._tcp.x", "4.in"]
)
def test_a_host_is_an_address_or_a_name(host: str) -> None:
    assert load(None, {"METADATA_CENTER_HTTP_HOST": host}).config.http.host == host


@pytest.mark.parametrize(
    "host", ["10.0.0.256", "1", "[::1]", "a b", "-a", "a-", "a..b", "http://a", "a:80", "a" * 64, "a." * 127]
)
@pytest.mark.parametrize(
    "name", ["METADATA_CENTER_HTTP_HOST", "METADATA_CENTER_PPROF_HOST", "META_DATA_CENTER_SVC_DISC_HOST"]
)
def test_anything_else_is_no_host(name: str, host: str) -> None:
    assert refusal({name: host}).startswith(f'environment {name}: expected an IP address or a host name, got "')


def test_a_listener_needs_a_host(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('[PProf]\nHost = ""')
    with pytest.raises(ConfigError, match=r'\[PProf\] Host: expected an IP address or a host name, got ""$'):
        load(str(file), {})


def test_the_own_address_is_no_name() -> None:
    assert load(None, {"POD_IP": "fd00::7"}).config.node.address == "fd00::7"
    assert refusal({"POD_IP": "node-7"}) == 'environment POD_IP: expected an IP address, got "node-7"'


@pytest.mark.parametrize(("http", "pprof"), [("0.0.0.0", "127.0.0.1"), ("Node", "node"), ("127.0.0.1", "::")])
def test_the_two_listeners_may_not_share_a_port(http: str, pprof: str) -> None:
    environ = {
        "METADATA_CENTER_HTTP_HOST": http,
        "METADATA_CENTER_PPROF_HOST": pprof,
        "METADATA_CENTER_HTTP_PORT": "8081",
    }
    problem = "[HTTP] and [PProf] would both listen on port 8081"
    assert refusal(environ) == f"environment METADATA_CENTER_HTTP_PORT: {problem}"
    assert load(None, {**environ, "METADATA_CENTER_PPROF_ENABLE": "0"}).config.http.port == 8081


def test_two_free_ports_or_two_addresses_are_no_conflict() -> None:
    assert load(None, {"METADATA_CENTER_HTTP_PORT": "0", "METADATA_CENTER_PPROF_PORT": "0"}).config.pprof.port == 0
    environ = {"METADATA_CENTER_HTTP_HOST": "127.0.0.2", "METADATA_CENTER_HTTP_PORT": "8081"}
    assert load(None, environ).config.http.port == 8081


@pytest.mark.parametrize("name", ["OUTPUT", "ACCESS_OUTPUT"])
def test_a_log_file_needs_a_name(name: str) -> None:
    key = "OutputFile" if name == "OUTPUT" else "AccessOutputFile"
    problem = f'environment METADATA_CENTER_LOG_{name}: "file" needs [Log] {key} beside it'
    assert refusal({f"METADATA_CENTER_LOG_{name}": "file"}) == problem


@pytest.mark.parametrize("name", ["OUTPUT", "ACCESS_OUTPUT"])
def test_a_log_file_must_be_one_that_can_be_written(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()

    def environ(file: Path) -> dict[str, str]:
        return {f"METADATA_CENTER_LOG_{name}": "file", f"METADATA_CENTER_LOG_{name}_FILE": str(file)}

    place = f"environment METADATA_CENTER_LOG_{name}_FILE"
    assert refusal(environ(tmp_path)) == f"{place}: {tmp_path} is a folder"
    assert refusal(environ(tmp_path / "file" / "a" / "b")) == f"{place}: {tmp_path / 'file'} is not a folder"
    load(None, environ(tmp_path / "file"))
    load(None, environ(tmp_path / "new" / "folder" / "a.log"))
    assert not (tmp_path / "new").exists()


def test_a_log_file_needs_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The tests may run as root, who is refused nothing.
    file, folder = tmp_path / "a.log", tmp_path
    file.touch()
    environ = {"METADATA_CENTER_LOG_OUTPUT": "file", "METADATA_CENTER_LOG_OUTPUT_FILE": str(file)}
    place = "environment METADATA_CENTER_LOG_OUTPUT_FILE"
    for forbidden in (file, folder):
        monkeypatch.setattr(os, "access", lambda path, mode, forbidden=forbidden: Path(path) != forbidden)
        assert refusal(environ) == f"{place}: {forbidden} is not writable"


def test_the_file_of_a_log_that_goes_elsewhere_is_not_looked_at(tmp_path: Path) -> None:
    assert load(None, {"METADATA_CENTER_LOG_OUTPUT_FILE": str(tmp_path)}).config.log.output == "stdout"


@pytest.mark.parametrize("broker", ["redis", "localhost:6379", "user:hunter2@host", "//host", "1redis://host"])
def test_a_broker_is_a_url_with_a_scheme_and_never_shown(broker: str) -> None:
    expected = "expected a URL with a scheme, such as memory:// or redis://host:6379/0"
    assert (
        refusal({"METADATA_CENTER_CELERY_BROKER": broker}) == f"environment METADATA_CENTER_CELERY_BROKER: {expected}"
    )


@pytest.mark.parametrize("broker", ["memory://", "redis://u:p@host:6379/0", "sqla+postgresql://host/db"])
def test_a_broker_with_a_scheme_is_taken(broker: str) -> None:
    assert load(None, {"METADATA_CENTER_CELERY_BROKER": broker}).config.celery.broker == broker


def test_the_blame_goes_to_the_member_that_somebody_set(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text("[PProf]\nPort = 8080\nEnable = false")
    with pytest.raises(ConfigError, match=rf"^{file}: \[PProf\] Port: "):
        load(str(file), {"METADATA_CENTER_PPROF_ENABLE": "true"})


@pytest.mark.parametrize("entry", ["10.0.0.0/33", "10.0.0.7/8", "gateway", "10.0.0.0-10.0.0.9"])
def test_who_may_operate_is_a_network(entry: str) -> None:
    found = refusal({"METADATA_CENTER_AUTH_OPERATE_FROM": f"10.0.0.0/8,{entry},fd00::/8"})
    assert "METADATA_CENTER_AUTH_OPERATE_FROM: expected networks or addresses" in found
    assert entry in found


def test_networks_and_addresses_are_taken() -> None:
    auth = load(None, {"METADATA_CENTER_AUTH_OPERATE_FROM": "10.0.0.0/8,fd00::/8,192.0.2.7"}).config.auth
    assert auth.operate_from == ("10.0.0.0/8", "fd00::/8", "192.0.2.7")


def test_where_keys_are_required_peers_need_more_than_an_address() -> None:
    required = {"METADATA_CENTER_AUTH_REQUIRED": "true"}
    assert load(None, required).config.auth.required
    peers = {**required, "META_DATA_CENTER_SVC_DISC_HOST": "peers.example"}
    found = refusal(peers)
    assert found == (
        "environment METADATA_CENTER_AUTH_REQUIRED: needs [Replication] Secret or Key, or [HTTP] ClientCert: "
        "an address alone lets in no peer"
    )
    assert load(None, {**peers, "REPLICA_SECRET": "s3cret"}).config.auth.required
