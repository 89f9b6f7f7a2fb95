# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What people type to find engines."""

from __future__ import annotations

import pytest

from edge.typed_engine import as_part, typed_engines


@pytest.mark.parametrize(
    ("typed", "names"),
    [
        ("10.0.0.1", ["10.0.0.1"]),
        (" 10.0.0.1:8000 ", ["10.0.0.1:8000"]),
        ("10.0.0.1:8000/3", ["10.0.0.1:8000/3"]),
        ("http://10.0.0.1:8000/", ["10.0.0.1:8000"]),
        ("[2001:db8::1]:8000", ["[2001:db8::1]:8000"]),
        ("[2001:DB8::1]", ["2001:db8::1"]),
        ("2001:0db8:0000:0000:0000:0000:0000:0001", ["2001:db8::1"]),
        ("2001:db8::1/2", ["[2001:db8::1]/2"]),
        ("2001:db8::1:8000", ["2001:db8::1:8000", "[2001:db8::1]:8000"]),
        ("::ffff:10.0.0.1", ["10.0.0.1"]),
        ("[::ffff:10.0.0.1]:8000", ["10.0.0.1:8000"]),
        ("::ffff:10.0.0.1:8000/3", ["10.0.0.1:8000/3"]),
        ("10.0.0.1:0", []),
        ("10.0.0.1:99999", []),
        ("10.0.0", []),
        ("llama", []),
        ("[", []),
        ("", []),
        ("/3", []),
        (":80", []),
        ("²", []),
        ("10.0.0.1/²", []),
    ],
)
def test_an_engine_is_read_in_any_spelling(typed: str, names: list[str]) -> None:
    assert [str(each) for each in typed_engines(typed)] == names


def test_a_part_of_a_name_is_as_names_have_it() -> None:
    assert as_part(" 2001:0DB8:00a1") == "2001:db8:a1"
    assert as_part("10.0.0.0") == "10.0.0.0"
    assert as_part("Llama-007:x") == "llama-007:x"
