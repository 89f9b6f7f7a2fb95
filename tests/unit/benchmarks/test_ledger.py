# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The ledger's own benchmark, small."""

from __future__ import annotations

import gc

import pytest

from benchmarks import ledger


def test_it_measures_every_operation_in_every_round(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "BATCH", 100)
    try:
        measured = ledger.run(5000, 2)
    finally:
        gc.unfreeze()
    assert measured.requests == measured.adds.count == 5000
    assert measured.adds.p50 > 0
    # 5,000 of its own, 1,000 that open the engines, 200 of the rounds; then their tombstones.
    assert measured.expiring.count > 5000 / 256
    assert measured.forgetting.count > 6200 / 256
    assert {"add", "first_token", "done"} < set(measured.costs)
    assert len(measured.costs) == 12
    for name, values in measured.costs.items():
        assert len(values) == 2, name
        assert min(values) > 0, name
