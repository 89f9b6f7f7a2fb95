# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The [Discovery] section: what is well-formed."""

from __future__ import annotations

import pytest

from discovery.host import Host
from runtime.config import ConfigError, load

NAMESERVERS = "META_DATA_CENTER_SVC_DISC_NAMESERVERS"
HOST = "META_DATA_CENTER_SVC_DISC_HOST"
HOSTS = "METADATA_CENTER_DISCOVERY_HOSTS"
CLASS = "METADATA_CENTER_DISCOVERY_CLASS"

BAD = ["dns.test", "dns.test:53", "10.0.0.1:", "10.0.0.1:0", "10.0.0.1:65536", "10.0.0.256", "[10.0.0.1]:53"]
BAD += ["[fd00::1]", "[fd00::1]:x", "fd00::1]:53", "udp://10.0.0.1", "10.0.0.1:٥"]


def refusal(environ: dict[str, str]) -> str:
    with pytest.raises(ConfigError) as caught:
        load(None, environ)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_every_key_can_be_set_from_the_environment() -> None:
    environ = {
        NAMESERVERS: "127.0.0.1:5353, [::1]:5353,10.0.0.1,fd00::1",
        HOSTS: "10.0.0.1,10.0.0.2:8080",
        CLASS: "acme.discovery.Consul",
        "METADATA_CENTER_DISCOVERY_GRACE_TIME": "0",
        "METADATA_CENTER_DISCOVERY_LOOKUP_TIMEOUT": "500ms",
    }
    discovery = load(None, environ).config.discovery
    assert discovery.nameservers == ("127.0.0.1:5353", "[::1]:5353", "10.0.0.1", "fd00::1")
    assert (discovery.hosts, discovery.class_path) == (("10.0.0.1", "10.0.0.2:8080"), "acme.discovery.Consul")
    assert (discovery.grace_seconds, discovery.lookup_timeout_seconds) == (0, 0.5)


def test_a_service_may_be_named() -> None:
    host = "_http._tcp.metadata-center.default.svc.cluster.local"
    assert load(None, {HOST: host}).config.discovery.host == host


@pytest.mark.parametrize("entry", BAD)
@pytest.mark.parametrize("name", [NAMESERVERS, HOSTS])
def test_anything_but_an_address_with_or_without_a_port_is_named(name: str, entry: str) -> None:
    expected = "expected IP addresses, each with or without a port (10.0.0.7, 10.0.0.7:80, [fd00::7]:80), got "
    assert refusal({name: f"10.0.0.1,{entry}"}).startswith(f"environment {name}: {expected}")


def test_a_list_and_a_name_exclude_each_other() -> None:
    problem = "[Discovery] Hosts and Host exclude each other; keep one"
    assert refusal({HOSTS: "10.0.0.1", HOST: "peers"}) == f"environment {HOSTS}: {problem}"


@pytest.mark.parametrize("path", ["Consul", "acme.", ".Consul", "acme:Consul", "acme..Consul", "a b.Consul", "1.2"])
def test_a_class_is_named_by_a_dotted_path(path: str) -> None:
    expected = "expected the dotted path of a class, such as package.module.Class"
    assert refusal({CLASS: path}) == f'environment {CLASS}: {expected}, got "{path}"'


@pytest.mark.parametrize(
    "text", ["10.0.0.7", "10.0.0.7:80", "fd00::7", "[fd00::7]:80", "fe80::1%lo", "[fe80::1%lo]:80"]
)
def test_a_host_is_written_as_it_is_read(text: str) -> None:
    assert str(Host.parse(text)) == text


@pytest.mark.parametrize("text", [entry for entry in BAD if entry])
def test_nothing_else_is_a_host(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Host.parse(text)


def test_hosts_have_an_order() -> None:
    hosts = [Host("10.0.0.2", 80), Host("10.0.0.1", 81), Host("10.0.0.1", 80)]
    assert list(map(str, sorted(hosts))) == ["10.0.0.1:80", "10.0.0.1:81", "10.0.0.2:80"]
