# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from loadstats.ledger import EngineName, Ledger

ADDRESSES = st.ip_addresses().map(str)
PORTS = st.one_of(st.none(), st.integers(1, 65_535))
RANKS = st.one_of(st.none(), st.integers(0, 65_535))


@given(ADDRESSES, PORTS, RANKS)
def test_a_name_comes_back_from_its_text(ip: str, port: int | None, rank: int | None) -> None:
    name = EngineName(ip, port, rank)
    assert EngineName.of(str(name)) == name


@given(st.text("0123456789abc:./[]-+_ ٣", max_size=20))
def test_a_text_is_refused_or_the_only_one_of_its_name(text: str) -> None:
    try:
        name = EngineName.of(text)
    except ValueError:
        return
    assert str(name) == text


@pytest.mark.parametrize(
    "text",
    ["10.0.0.1", "10.0.0.1:8000", "10.0.0.1/3", "10.0.0.1:8000/0", "::1", "[::1]:8000", "[::1]/3", "[::1]:8000/3"],
)
def test_it_reads_every_form(text: str) -> None:
    assert str(EngineName.of(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":80",
        "/3",
        "10.0.0.1:",
        "10.0.0.1/",
        "10.0.0.1:0",
        "10.0.0.1:080",
        "10.0.0.1:+80",
        "10.0.0.1: 80",
        "10.0.0.1:8_0",
        "10.0.0.1:-80",
        "10.0.0.1:65536",
        "10.0.0.1:٣",
        "10.0.0.1/-1",
        "10.0.0.1/65536",
        "10.0.0.1/1/2",
        "10.0.0.1:http",
        "[10.0.0.1]:80",
        "[::1]",
        "[::1]:",
        "[::1]80",
        "[::1:80",
        "::1/3",
    ],
)
def test_it_refuses_what_is_no_name(text: str) -> None:
    with pytest.raises(ValueError, match=r"engine's name|invalid literal"):
        EngineName.of(text)


def test_engines_of_one_address_are_told_apart() -> None:
    ledger = Ledger()
    for number, name in enumerate(["10.0.0.1", "10.0.0.1:80", "10.0.0.1:80/0", "10.0.0.1/0"]):
        ledger.add(f"r{number}", "c", name, number, 0.0, 1)
    assert [(row.ip, row.port, row.dp_rank, row.prompt_length) for row in ledger.rows("c")] == [
        ("10.0.0.1", UNSET, UNSET, 0),
        ("10.0.0.1", 80, UNSET, 1),
        ("10.0.0.1", 80, 0, 2),
        ("10.0.0.1", UNSET, 0, 3),
    ]
    assert b'{"ip":"10.0.0.1","queued_req_num":1,' in ledger.loads.answer("c")
    assert b',"port":80,"dp_rank":0}' in ledger.loads.answer("c")
