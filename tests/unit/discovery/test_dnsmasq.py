# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Look-ups against dnsmasq, a DNS server that others wrote."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from functools import partial
from threading import Timer

import pytest

from discovery.dns import DnsDiscovery, resolver_at
from discovery.service import LookupFailed
from tests.ports import free_port
from tests.unit.discovery.fakes import Clock

SECONDS = 60.0
LONG = [f"10.1.0.{number}" for number in range(1, 61)]


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    program = shutil.which("dnsmasq")
    if program is None:
        pytest.skip("needs dnsmasq")
    hosts = tmp_path_factory.mktemp("dnsmasq") / "hosts"
    addresses = [("10.0.0.1", "peers"), ("fd00::1", "peers"), ("10.0.0.2", "two"), *((one, "long") for one in LONG)]
    hosts.write_text("".join(f"{address} {name}.test\n" for address, name in addresses))
    port = free_port()
    options = ["conf-file=/dev/null", "no-daemon", "log-facility=-", "no-resolv", "no-hosts", "local=/test/"]
    options += ["listen-address=127.0.0.1", "bind-interfaces", f"port={port}", f"addn-hosts={hosts}"]
    options += ["srv-host=_http._tcp.test,two.test,8080"]
    command = [program, *(f"--{option}" for option in options)]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        deadline = Timer(SECONDS, process.kill)  # ends the reading below
        deadline.start()
        try:
            said = ""
            for line in process.stderr:
                said += line
                if "started" in line:
                    break
            else:
                raise AssertionError(f"dnsmasq did not start: {said}")
            deadline.cancel()
            yield f"127.0.0.1:{port}"
        finally:
            deadline.cancel()
            process.terminate()


def discovery(name: str, endpoint: str) -> DnsDiscovery:
    return DnsDiscovery(name, partial(resolver_at, [endpoint]), timeout_seconds=3 * SECONDS, monotonic=Clock())


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("peers.test", ["10.0.0.1", "fd00::1"]),
        ("_http._tcp.test", ["10.0.0.2:8080"]),
        ("long.test", sorted(LONG)),
    ],
)
def test_it_finds_what_dnsmasq_publishes(endpoint: str, name: str, expected: list[str]) -> None:
    assert sorted(map(str, discovery(name, endpoint).hosts())) == expected


def test_it_is_told_of_a_name_that_dnsmasq_does_not_know(endpoint: str) -> None:
    with pytest.raises(LookupFailed, match=r"^gone\.test: no such name$"):
        discovery("gone.test", endpoint).hosts()
