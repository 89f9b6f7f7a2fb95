# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The benchmark of choosing an engine, small."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from benchmarks import pick
from benchmarks.spread import Spread
from loadstats.pick.policies import POLICIES


def test_it_measures_every_kind_of_call_in_every_round(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pick, "SIZES", (20, 40))
    monkeypatch.setattr(pick, "REACHES_US", {20: 1e9, 40: 0})
    # A full collection before each measurement takes a third of a second here: all tests are in this process's memory.
    idle = SimpleNamespace(collect=lambda: 0, freeze=lambda: None, unfreeze=lambda: None)
    monkeypatch.setattr(pick, "gc", idle)
    measured = pick.run(5, 2)
    assert set(measured.costs) == set(pick.FORMS)
    for name, by_size in measured.costs.items():
        assert list(by_size) == [20, 40], name
        for by_part in by_size.values():
            assert list(by_part) == [*POLICIES, "decoding"], name
            assert all(len(values) == 2 and min(values) > 0 for values in by_part.values()), name
    text = pick.section(measured, 5, 2, {20: Spread(3, 2, 4), 40: Spread(5, 4, 6)}).markdown("now")
    assert text.count("| ≤ 1e+09 µs: met |") == text.count("| ≤ 0 µs: **missed** |") == len(pick.FORMS)
    assert "3.0 (2.0–4.0) µs over 20 engines and 5.0 (4.0–6.0) µs over 40 engines" in text
