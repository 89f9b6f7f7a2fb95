# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Which client a call is charged to."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

from hypothesis import given
from hypothesis import strategies as st

from edge.call import Call
from edge.caller import Caller, Scope
from edge.client import UNKNOWN, client_of

KEY = Caller("key gateway-eu", frozenset({Scope.WRITE}))


def test_a_client_without_a_key_is_its_address() -> None:
    assert client_of("10.0.0.7") == "10.0.0.7"
    assert client_of(Call(b"", b"", {}, client="10.0.0.7")) == "10.0.0.7"
    assert client_of("") == UNKNOWN


def test_loopback_is_a_client_like_any_other() -> None:
    assert client_of("127.0.0.1") == client_of("::ffff:127.0.0.1") == "127.0.0.1"
    assert client_of("127.0.0.2") == "127.0.0.2"
    assert client_of("::1") == client_of("0:0::1") == "::1"


def test_a_key_is_one_client_wherever_it_calls_from() -> None:
    assert client_of("10.0.0.7", KEY) == client_of("fd00::1", KEY) == "key gateway-eu"
    assert client_of(Call(b"", b"", {}, client="10.0.0.8", caller=KEY)) == "key gateway-eu"


@given(address=st.ip_addresses(v=4))
def test_an_ipv4_address_is_the_same_client_when_it_is_written_as_ipv6(address: IPv4Address) -> None:
    assert client_of(f"::ffff:{address}") is client_of(str(address))


@given(network=st.integers(1, 2**64 - 1), one=st.integers(0, 2**64 - 1), other=st.integers(0, 2**64 - 1))
def test_all_addresses_of_an_ipv6_network_are_one_client(network: int, one: int, other: int) -> None:
    first, second = IPv6Address(network << 64 | one), IPv6Address(network << 64 | other)
    assert client_of(str(first)) is client_of(second.exploded.upper())
    assert client_of(str(first)) != client_of(str(IPv6Address((network ^ 1) << 64 | one)))


def test_what_is_no_address_is_its_own_name() -> None:
    assert client_of("fe80::1%eth0") == "fe80::/64"
    assert client_of("not:an:address") == "not:an:address"


def test_names_are_interned() -> None:
    text = "10.0.0."
    assert client_of(text + str(7)) is client_of(text + str(7))
