# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The environment's variables."""

from __future__ import annotations

import re

import pytest

from runtime.config import Config, ConfigError, load
from runtime.config.environment import SECOND_NAMES, variable, variables
from runtime.config.member import Member, members
from runtime.config.report import render


def refusal(name: str, text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load(None, {name: text})
    message = str(caught.value)
    assert "\n" not in message
    return message.removeprefix(f"environment {name}: ")


def test_every_member_has_one_variable_of_its_own() -> None:
    names = [name for member in members() for name in variables(member)]
    assert len(set(names)) == len(names)
    assert "METADATA_CENTER_PPROF_ENABLE" in names
    assert "METADATA_CENTER_HTTP_MAX_BODY_BYTES" in names
    assert "METADATA_CENTER_LOG_ACCESS_OUTPUT_FILE" in names


def test_the_names_of_existing_deployments_work() -> None:
    config = load(
        None,
        {
            "POD_IP": "10.0.0.7",
            "META_DATA_CENTER_SVC_DISC_HOST": "metadata-center.default.svc",
            "REPLICA_DNS_LOOKUP_INTERVAL": "7s",
            "REPLICA_CLIENT_TARGET_PORT": "8080",
            "REPLICA_CLIENT_DIAL_TIMEOUT": "1ms",
            "REPLICA_CLIENT_REQUEST_TIMEOUT": "2ms",
            "REPLICA_CLIENT_IDLE_CONN_TIMEOUT": "3m",
            "REPLICA_CLIENT_KEEPALIVE_PERIOD": "4s",
            "REPLICA_CLIENT_MAX_IDLE_CONNS": "5",
            "METADATA_CENTER_LOAD_GC_INTERVAL": "6s",
            "METADATA_CENTER_LOAD_REQ_EXPIRE": "1m30s",
        },
    ).config
    assert config.node.address == "10.0.0.7"
    assert (config.discovery.host, config.discovery.interval_seconds) == ("metadata-center.default.svc", 7)
    replication = config.replication
    assert (replication.target_port, replication.max_idle_connections) == (8080, 5)
    assert (replication.dial_timeout_seconds, replication.request_timeout_seconds) == (0.001, 0.002)
    assert (replication.idle_timeout_seconds, replication.keepalive_seconds) == (180, 4)
    assert (config.load.gc_interval_seconds, config.load.request_expire_seconds) == (6, 90)


def test_a_second_name_sets_the_same_member() -> None:
    names = {
        "METADATA_CENTER_CACHE_GC_INTERVAL": "7s",
        "METADATA_CENTER_CACHE_EXPIRE": "1h30m",
        "METADATA_CENTER_CACHE_TOPK": "5",
    }
    loaded = load(None, names)
    kvcache = loaded.config.kvcache
    assert (kvcache.gc_interval_seconds, kvcache.block_expire_seconds, kvcache.top_k) == (7, 5400, 5)
    assert {source for source in loaded.sources.values() if source != "default"} == {f"environment {n}" for n in names}
    assert sorted(names) == sorted(SECOND_NAMES.values())


@pytest.mark.parametrize("member", [each for each in members() if len(variables(each)) > 1], ids=lambda each: each.path)
def test_two_names_of_a_member_may_be_set_to_the_same_and_to_nothing_else(member: Member) -> None:
    own, second = variables(member)
    one, same, other = ("60s", "1m", "61s") if member.is_duration else ("7", "7", "8")
    assert load(None, {own: one, second: same}).config == load(None, {own: one}).config != Config()
    assert load(None, {own: one, second: ""}).config == load(None, {own: "", second: one}).config
    with pytest.raises(ConfigError) as caught:
        load(None, {own: one, second: other})
    assert str(caught.value) == f"environment {own}: differs from {second}, which means the same; keep one"
    # In front of a file both count, as one does.
    assert refusal(second, "soon").startswith("expected ")


@pytest.mark.parametrize("text", ["true", "0", "nonsense"])
def test_the_go_version_s_debug_mode_is_accepted_and_noted(text: str) -> None:
    loaded = load(None, {"METADATA_CENTER_DEBUG_MODE": text})
    assert loaded.config == Config()
    (note,) = loaded.notes
    assert note.startswith("environment METADATA_CENTER_DEBUG_MODE: accepted, without effect; ")
    assert render(loaded).endswith(f"\n\n# {note}")
    assert load(None, {"METADATA_CENTER_DEBUG_MODE": ""}).notes == load(None, {}).notes == ()


def test_values_of_every_kind_are_read_from_text() -> None:
    config = load(
        None,
        {
            "METADATA_CENTER_HTTP_PORT": "0",
            "METADATA_CENTER_HTTP_DRAIN_TIMEOUT": "0",
            "METADATA_CENTER_PPROF_ENABLE": "False",
            "METADATA_CENTER_LOG_FORMAT": "json",
            "METADATA_CENTER_WEB_ALLOWED_HOSTS": "a, b,",
            "METADATA_CENTER_WEB_SECRET_KEY": "12345",
        },
    ).config
    assert (config.http.port, config.http.drain_timeout_seconds) == (0, 0)
    assert (config.pprof.enable, config.log.format) == (False, "json")
    assert (config.web.allowed_hosts, config.web.secret_key) == (("a", "b"), "12345")


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("METADATA_CENTER_HTTP_PORT", "http", 'expected an integer from 0 to 65535, got "http"'),
        ("METADATA_CENTER_HTTP_PORT", "-1", 'expected an integer from 0 to 65535, got "-1"'),
        ("METADATA_CENTER_PPROF_ENABLE", "yes", 'expected true or false, got "yes"'),
        ("METADATA_CENTER_LOG_FORMAT", "JSON", 'expected one of "json", "text", got "JSON"'),
        ("METADATA_CENTER_NODE_DATA_DIR", "a\udcff", 'expected printable text, got "a\\udcff"'),
        ("POD_IP", "10.0.0.7\n", 'expected printable text, got "10.0.0.7\\n"'),
        ("METADATA_CENTER_WEB_SECRET_KEY", "hunter2\n", "expected printable text"),
        (
            "REPLICA_DNS_LOOKUP_INTERVAL",
            "5",
            'expected a duration with its unit, such as "500ms" or "1m30s", above 0, got "5"',
        ),
    ],
)
def test_a_bad_value_is_named_with_its_variable(name: str, text: str, problem: str) -> None:
    assert refusal(name, text) == problem


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("METADATA_CENTER_HTTP_PRT", "unknown variable, did you mean METADATA_CENTER_HTTP_PORT?"),
        ("METADATA_CENTER_REPLICATION_DIAL_TIMEOUT", "unknown variable, did you mean REPLICA_CLIENT_DIAL_TIMEOUT?"),
        ("METADATA_CENTER_LOAD_REQUEST_EXPIRE", "unknown variable, did you mean METADATA_CENTER_LOAD_REQ_EXPIRE?"),
        ("METADATA_CENTER_LOAD_REQ_EXPIRES", "unknown variable, did you mean METADATA_CENTER_LOAD_REQ_EXPIRE?"),
        ("METADATA_CENTER_PORT", "unknown variable, did you mean METADATA_CENTER_HTTP_PORT?"),
        ("METADATA_CENTER_XYZ", "unknown variable"),
    ],
)
def test_an_unknown_variable_with_our_prefix_is_an_error(name: str, problem: str) -> None:
    assert refusal(name, "8080") == problem


def service_links(service: str, address: str, ports: dict[str, tuple[str, int]]) -> dict[str, str]:
    """What Kubernetes puts into a pod for a Service; its ports by name, each with its protocol (envvars.go)."""
    prefix = service.upper().replace("-", "_")
    first = next(iter(ports.values()))
    host = f"[{address}]" if ":" in address else address
    links = {
        f"{prefix}_SERVICE_HOST": address,
        f"{prefix}_SERVICE_PORT": str(first[1]),
        f"{prefix}_PORT": f"{first[0].lower()}://{host}:{first[1]}",
    }
    for name, (protocol, port) in ports.items():
        each = f"{prefix}_PORT_{port}_{protocol}"
        links |= {
            each: f"{protocol.lower()}://{host}:{port}",
            f"{each}_PROTO": protocol.lower(),
            f"{each}_PORT": str(port),
            f"{each}_ADDR": address,
        }
        if name:
            links[f"{prefix}_SERVICE_PORT_{name.upper().replace('-', '_')}"] = str(port)
    return links


@pytest.mark.no_cover
@pytest.mark.parametrize(
    "service",
    [
        "metadata-center",
        "metadata-center-0",
        "metadata-center-2-external",
        "metadata-center-peers",
        # These share names with variables of ours: METADATA_CENTER_HTTP_PORT and METADATA_CENTER_PPROF_PORT.
        "metadata-center-http",
        "metadata-center-pprof",
        "metadata-center-load",
        "metadata-center-kvcache-max",
        "replica-client-target",
    ],
)
@pytest.mark.parametrize("address", ["10.96.0.1", "fd00:10:96::1"])
@pytest.mark.parametrize(
    "ports",
    [
        {"": ("TCP", 80)},
        {"http-api": ("TCP", 8080), "dns": ("UDP", 53), "config": ("SCTP", 9)},
        {"port": ("TCP", 65535), "max-body-bytes": ("UDP", 65535)},
    ],
)
def test_what_kubernetes_adds_for_a_service_is_left_alone(
    service: str, address: str, ports: dict[str, tuple[str, int]]
) -> None:
    links = service_links(service, address, ports)
    assert len(links) >= 7
    assert load(None, links).config == Config()
    for name, text in links.items():
        assert load(None, {name: text}).config == Config()


def test_a_variable_of_a_member_is_never_taken_for_one_of_kubernetes() -> None:
    """A port is one only as a URL, and no other name of ours may end as theirs."""
    named = {variable(member): "8080" for member in members() if variable(member).endswith("_PORT")}
    assert named.keys() >= {"METADATA_CENTER_HTTP_PORT", "METADATA_CENTER_PPROF_PORT", "REPLICA_CLIENT_TARGET_PORT"}
    for name, text in named.items():
        off = {"METADATA_CENTER_PPROF_ENABLE": "false"}  # else both would listen on one port
        assert f"environment {name}" in load(None, {name: text} | off).sources.values()
    for member in members():
        assert not re.search(r"_SERVICE_(HOST|PORT)|_PORT_\d+_", variable(member))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("METADATA_CENTER_SERVICE_HOSTS", "10.96.0.1"),
        ("METADATA_CENTER_PORT_8080_TCP_NAME", "tcp://10.96.0.1:80"),
        ("METADATA_CENTER_PORT_HTTP_TCP", "tcp://10.96.0.1:80"),
        ("METADATA_CENTER_0_PORT", "8080"),
        ("METADATA_CENTER_PORT", "http://10.96.0.1:80"),
        ("METADATA_CENTER_SERVICE_NAME", "metadata-center"),
    ],
)
def test_only_what_kubernetes_adds_is_left_alone(name: str, text: str) -> None:
    assert refusal(name, text).startswith("unknown variable")


def test_a_url_of_no_service_is_no_port() -> None:
    assert refusal("METADATA_CENTER_HTTP_PORT", "http://10.96.0.1:80").startswith("expected an integer")


def test_an_empty_variable_counts_as_unset() -> None:
    loaded = load(None, {"METADATA_CENTER_HTTP_PORT": "", "METADATA_CENTER_XYZ": "", "METADATA_CENTER_CONFIG": ""})
    assert loaded.config == Config()
    assert set(loaded.sources.values()) == {"default"}


def test_variables_of_others_are_left_alone() -> None:
    assert load(None, {"PATH": "/bin", "REPLICA_OF": "x", "metadata_center_http_port": "x"}).config == Config()
