# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The benchmark of the KV cache index, small."""

from __future__ import annotations

import gc
from pathlib import Path

import msgspec
import pytest

from benchmarks import kvcache, plot
from benchmarks.section import Curve


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("ENGINES", 8), ("PROMPT", 20), ("STEM", 3), ("ASKED", 4), ("SHARES", (0.1, 1.0))):
        monkeypatch.setattr(kvcache, name, value)


def test_it_measures_every_call_in_every_round_and_what_a_bounded_index_finds(small: None, tmp_path: Path) -> None:
    trace = tmp_path / "trace.jsonl"
    lines = [{"timestamp": 1000 * n, "hash_ids": [0, 10 * (n % 30), 10 * (n % 30) + 1]} for n in range(120)]
    trace.write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))
    try:
        measured = kvcache.run(2000, 2, trace)
    finally:
        gc.unfreeze()
    assert measured.blocks == 2000
    assert measured.saves.count == 100
    assert measured.expiring.count > 2
    assert len(measured.costs) == 7
    for name, values in measured.costs.items():
        assert len(values) == 2, name
        assert min(values) > 0, name
    hits = measured.hits
    assert hits is not None
    assert (hits.requests, hits.asked) == (120, 360)
    assert hits.index[-1] == hits.unbounded > hits.index[0]
    assert hits.unbounded >= hits.engine[-1] > hits.engine[0]
    section = kvcache.section(measured, 2)
    assert [curve.label for curve in section.curves] == ["bounded as a whole", "bounded by engine", "unbounded"]
    assert f"{hits.unbounded:.1%}" in section.markdown("now")


def test_without_the_trace_it_says_so(small: None, tmp_path: Path) -> None:
    try:
        measured = kvcache.run(2000, 1, tmp_path / "none")
    finally:
        gc.unfreeze()
    section = kvcache.section(measured, 1)
    assert section.curves == []
    assert "was not measured" in section.blocks[-1]


def test_curves_become_a_picture(tmp_path: Path) -> None:
    file = tmp_path / "curves.png"
    plot.draw_curves([Curve("one", [1, 10, 100], [0.1, 0.2, 0.3])], ("blocks", "share"), file)
    assert file.read_bytes().startswith(b"\x89PNG")
