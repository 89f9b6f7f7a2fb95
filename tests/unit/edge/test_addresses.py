# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""Every spelling of an address, and of an engine's name, is read into one form."""

from __future__ import annotations

from ipaddress import IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.addresses import Addresses, EngineNames
from edge.engine_name import EngineName
from edge.errors import InvalidInput
from tests.spellings import spellings

PORTS = st.one_of(st.none(), st.integers(1, 65_535))
RANKS = st.one_of(st.none(), st.integers(0, 65_535))


@given(st.ip_addresses(), st.data())
def test_all_spellings_of_an_address_are_one(address: object, data: st.DataObject) -> None:
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    spelled = data.draw(spellings(str(address)))
    assert Addresses().canonical(spelled) == str(mapped or address)


@given(st.ip_addresses(v=4), st.data())
def test_an_ipv4_address_inside_ipv6_is_the_ipv4_address(address: object, data: st.DataObject) -> None:
    spelled = data.draw(spellings(f"::ffff:{address}"))
    assert Addresses().canonical(spelled) == str(address)


@given(st.ip_addresses(), PORTS, RANKS, st.data())
def test_all_spellings_of_an_engines_name_are_one(
    address: object, port: int | None, rank: int | None, data: st.DataObject
) -> None:
    names = EngineNames()
    spelled = str(EngineName(data.draw(spellings(str(address))), port, rank))
    canonical = names.canonical(spelled)
    assert canonical == names.canonical(str(EngineName(str(address), port, rank)))
    assert names.canonical(canonical) == canonical
    assert EngineName.of(canonical) == EngineName(Addresses().canonical(str(address)), port, rank)


def test_ipv4_text_comes_back_as_it_is() -> None:
    text = "10.0.0.7"
    assert Addresses().canonical(text) is text


@pytest.mark.parametrize(
    "text", ["", "nowhere", "10.0.0", "010.0.0.7", "10.0.0.7 ", "[fd00::7]", "fd00::7%eth0", "fd00:::7", "1::2::3"]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match=r"^ip: expected an IPv4 or IPv6 address"):
        Addresses().canonical(text)


@pytest.mark.parametrize("text", ["10.0.0.1", "::1", "10.0.0.1:80", "10.0.0.1/0", "[::1]:80/65535", "[fe80::1]/3"])
def test_engines_names_in_their_form_stay(text: str) -> None:
    names = EngineNames()
    assert names.canonical(text) == text
    assert names.canonical(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nowhere",
        "10.0.0.1:0",
        "10.0.0.1:65536",
        "10.0.0.1:08",
        "10.0.0.1/-1",
        "10.0.0.1:",
        "[::1]",
        "::1:80x",
        "/1",
    ],
)
def test_other_text_is_no_engines_name(text: str) -> None:
    with pytest.raises(InvalidInput, match=r"^ip: "):
        EngineNames().canonical(text)


def test_only_so_many_spellings_are_remembered() -> None:
    addresses = Addresses(capacity=2)
    for text in ("fd00::7", "FD00::7", "fd00:0::7", "10.0.0.1"):
        addresses.canonical(text)
    assert [addresses.canonical(text) for text in ("FD00::7", "10.0.0.1")] == ["fd00::7", "10.0.0.1"]
