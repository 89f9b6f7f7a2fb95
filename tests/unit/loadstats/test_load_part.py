# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The part of the node that counts load, when the node stops."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from loadstats.part import LoadStats
from runtime.config import Config


@pytest.fixture
def part() -> Iterator[LoadStats]:
    part = LoadStats(
        Config(),
        "n",
        cached=lambda cluster, hashes: None,
        keep=lambda *_: None,
        cached_at=lambda cluster, ip: (),
        forget=lambda cluster, name: False,
    )
    yield part
    part.ledger.clear()  # Django shares the ledger among tests
    part.ledger.on_dropped = None


def test_a_stop_waits_until_the_requests_of_dropped_engines_are_ended(part: LoadStats) -> None:
    """Else the drop would be in no journal: it would be forgotten, though it was answered 200."""
    ledger = part.ledger
    ledger.add("r", "c", "10.0.0.1", 5, 0.0, 1)
    assert part.flushed()
    assert ledger.drop("c", "10.0.0.1") == 1
    assert not part.flushed()
    while ledger.lapse(0.0, 1):
        pass
    assert part.flushed()
