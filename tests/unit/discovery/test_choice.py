# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The discovery that the configuration asks for, and users' own classes."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from discovery.choice import choose
from discovery.dns import DnsDiscovery
from discovery.host import Host
from discovery.resolv_conf import ResolvConf
from discovery.static import StaticDiscovery
from runtime.config import ConfigError
from runtime.config.schema import DiscoverySettings
from tests.dns_server import DnsServer
from tests.unit.discovery.fakes import Clock

OWN_CLASSES = """
from discovery.host import Host
from discovery.resolv_conf import ResolvConf

class Consul:
    def __init__(self, config):
        self.config = config

    def hosts(self):
        return [Host("10.0.0.1", 8080)]

class Broken:
    def __init__(self, config):
        raise RuntimeError(f"no agent\\nat {config.host}")

class Mute:
    def __init__(self, config):
        pass

class Picky:
    def hosts(self):
        return []

number = 5
"""


@pytest.fixture
def own_classes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a module with classes of the user's."""
    (tmp_path / "acme_discovery.py").write_text(OWN_CLASSES)
    (tmp_path / "acme_unfinished.py").write_text("import acme_missing")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "acme_discovery", raising=False)
    return "acme_discovery"


def refusal(config: DiscoverySettings) -> str:
    with pytest.raises(ConfigError) as caught:
        choose(config, Clock())
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_a_node_with_no_discovery_is_alone() -> None:
    assert choose(DiscoverySettings(), Clock()) is None


def test_a_list_of_hosts_is_taken_as_it_is() -> None:
    discovery = choose(DiscoverySettings(hosts=("10.0.0.1", "[FD00::1]:8080")), Clock())
    assert isinstance(discovery, StaticDiscovery)
    assert discovery.hosts() == (Host("10.0.0.1"), Host("fd00::1", 8080))


def test_a_host_is_looked_up_at_the_nameservers_of_the_configuration() -> None:
    with DnsServer() as server:
        server.publish("peers.test", "A", "10.0.0.1")
        config = DiscoverySettings(host="peers.test", nameservers=(server.endpoint,), lookup_timeout_seconds=10)
        discovery = choose(config, Clock())
        assert isinstance(discovery, DnsDiscovery)
        assert list(discovery.hosts()) == [Host("10.0.0.1")]


def test_without_nameservers_the_system_is_asked() -> None:
    discovery = choose(DiscoverySettings(host="127.0.0.1"), Clock())
    assert isinstance(discovery, DnsDiscovery)
    assert list(discovery.hosts()) == [Host("127.0.0.1")]


def test_a_class_of_the_users_gets_the_configuration(own_classes: str) -> None:
    config = DiscoverySettings(host="peers", class_path=f"{own_classes}.Consul")
    discovery = choose(config, Clock())
    assert discovery is not None
    assert discovery.hosts() == [Host("10.0.0.1", 8080)]
    assert discovery.config is config  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("acme_nowhere.Consul", "ModuleNotFoundError: No module named 'acme_nowhere'"),
        ("acme_unfinished.Consul", "ModuleNotFoundError: No module named 'acme_missing'"),
        ("acme_discovery.Konsul", "AttributeError: module 'acme_discovery' has no attribute 'Konsul'"),
        ("acme_discovery.Broken", "RuntimeError: no agent at peers"),
        ("acme_discovery.Mute", "it has no method hosts()"),
        ("acme_discovery.Picky", "TypeError: Picky() takes no arguments"),
        ("acme_discovery.number", "TypeError: 'int' object is not callable"),
    ],
)
@pytest.mark.usefixtures("own_classes")
def test_a_class_that_cannot_be_used_is_named_in_one_line(path: str, problem: str) -> None:
    assert refusal(DiscoverySettings(host="peers", class_path=path)) == f"[Discovery] Class: {path}: {problem}"


def test_what_the_system_s_resolver_skips_is_logged_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("discovery.resolv_conf.read_resolv_conf", lambda: ResolvConf("", ("nameserver dns.test",)))
    assert choose(DiscoverySettings(host="peers.test", nameservers=("10.0.0.1",)), Clock()) is not None
    assert caplog.messages == []
    assert choose(DiscoverySettings(host="peers.test"), Clock()) is not None
    assert caplog.messages == ["/etc/resolv.conf: 'nameserver dns.test' can't be used and is skipped"]
