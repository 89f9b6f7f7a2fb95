# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Which host is this node itself."""

from __future__ import annotations

import socket

import pytest

from discovery.host import Host
from discovery.own import UNUSED_ADDRESSES, Own, is_local
from runtime.config import ConfigError


def test_the_machine_has_its_loopback_addresses() -> None:
    assert is_local("127.0.0.1")


def test_the_machine_has_the_address_that_its_packets_leave_from() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((UNUSED_ADDRESSES[0], 9))  # sends nothing
        except OSError as error:
            pytest.skip(f"needs a route: {error}")
        assert is_local(probe.getsockname()[0])


@pytest.mark.parametrize("address", [*UNUSED_ADDRESSES, "203.0.113.77", "2001:db8::77"])
def test_the_machine_has_no_address_of_others(address: str) -> None:
    assert not is_local(address)


@pytest.mark.parametrize("address", ["10.0.0.7", "::ffff:10.0.0.7"])
def test_a_node_with_an_address_is_that_address_alone(address: str) -> None:
    own = Own(address, 8080)
    assert own(Host("10.0.0.7"))
    assert own(Host("10.0.0.7", 8080))
    assert not own(Host("10.0.0.7", 8081))
    assert not own(Host("10.0.0.8"))
    assert not own(Host("127.0.0.1"))


def test_the_own_address_is_compared_in_one_spelling() -> None:
    assert Own("FD00:0::7", 8080)(Host("fd00::7"))


def test_a_node_without_an_address_is_every_address_of_the_machine() -> None:
    own = Own("", 8080, is_local={"10.0.0.7", "fd00::7", "127.0.0.1"}.__contains__)
    assert own(Host("10.0.0.7"))
    assert own(Host("fd00::7", 8080))
    assert own(Host("127.0.0.1"))
    assert not own(Host("10.0.0.7", 8081))
    assert not own(Host("10.0.0.8"))


def test_by_default_it_asks_the_machine() -> None:
    own = Own("", 8080)
    assert own(Host("127.0.0.1"))
    assert not own(Host("203.0.113.77"))


@pytest.mark.parametrize("foreign", UNUSED_ADDRESSES)
def test_a_machine_that_takes_every_address_for_its_own_must_be_told_its_address(foreign: str) -> None:
    with pytest.raises(ConfigError, match=r"^\[Node\] Address: must be set \(POD_IP\)"):
        Own("", 8080, is_local={foreign}.__contains__)
    assert Own("10.0.0.7", 8080, is_local={foreign}.__contains__)(Host("10.0.0.7"))
