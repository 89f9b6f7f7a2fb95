# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The environment's variables."""

from __future__ import annotations

import pytest

from runtime.config import Config, ConfigError, load
from runtime.config.environment import variable
from runtime.config.member import members


def refusal(name: str, text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load(None, {name: text})
    message = str(caught.value)
    assert "\n" not in message
    return message.removeprefix(f"environment {name}: ")


def test_every_member_has_one_variable_of_its_own() -> None:
    names = [variable(member) for member in members()]
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


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("METADATA_CENTER_SERVICE_HOST", "10.96.0.1"),
        ("METADATA_CENTER_SERVICE_PORT", "80"),
        ("METADATA_CENTER_SERVICE_PORT_HTTP_API", "80"),
        ("METADATA_CENTER_PORT", "tcp://10.96.0.1:80"),
        ("METADATA_CENTER_PORT_8080_TCP", "tcp://10.96.0.1:8080"),
        ("METADATA_CENTER_PORT_8080_TCP_PROTO", "tcp"),
        ("METADATA_CENTER_PORT_8080_TCP_PORT", "8080"),
        ("METADATA_CENTER_PORT_8080_TCP_ADDR", "10.96.0.1"),
        ("METADATA_CENTER_PORT_53_UDP_ADDR", "10.96.0.1"),
    ],
)
def test_what_kubernetes_adds_for_a_service_is_left_alone(name: str, text: str) -> None:
    assert load(None, {name: text}).config == Config()


@pytest.mark.parametrize(
    "name",
    ["METADATA_CENTER_SERVICE_HOSTS", "METADATA_CENTER_PORT_8080_TCP_NAME", "METADATA_CENTER_PORT_HTTP_TCP"],
)
def test_only_what_kubernetes_adds_is_left_alone(name: str) -> None:
    assert refusal(name, "tcp://10.96.0.1:80").startswith("unknown variable")


def test_an_empty_variable_counts_as_unset() -> None:
    loaded = load(None, {"METADATA_CENTER_HTTP_PORT": "", "METADATA_CENTER_XYZ": "", "METADATA_CENTER_CONFIG": ""})
    assert loaded.config == Config()
    assert set(loaded.sources.values()) == {"default"}


def test_variables_of_others_are_left_alone() -> None:
    assert load(None, {"PATH": "/bin", "REPLICA_OF": "x", "metadata_center_http_port": "x"}).config == Config()
