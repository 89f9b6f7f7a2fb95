# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The benchmark of keys: the file that it makes, and how it tells what it found."""

from __future__ import annotations

from access.key_text import new_key
from access.keys_file import parse
from benchmarks import keys
from edge.caller import Scope


def test_its_file_holds_keys_that_a_node_takes() -> None:
    made = [new_key() for _ in range(20)]
    grants = parse("keys.toml", keys.keys_file(made).encode())
    assert len(grants) == 20
    assert {grant.caller.scopes for grant in grants} == {frozenset({Scope.READ, Scope.WRITE})}


def test_it_tells_what_a_key_costs() -> None:
    costs = [
        keys.KeyCost("POST", [20.0, 30.0, 21.0], [21.5, 31.5, 22.75], [5.0, 6.0, 7.0], [5.75, 6.75, 7.75]),
        keys.KeyCost("GET", [40.0], [42.0], [5.0], [5.5]),
    ]
    text = keys.section(costs, 3, 2).markdown("now")
    assert "| POST | 21.0 (20.0–30.0) |" in text
    assert "| 0.8 | ≤ 1 µs: met |" in text
    assert "| 1.5 | ≤ 1 µs: **missed** |" in text
