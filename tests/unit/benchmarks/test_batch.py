# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The benchmark of batches: what it sends, and how it tells what it found."""

from __future__ import annotations

from itertools import islice

import msgspec

from benchmarks import batch
from benchmarks.spread import Latencies
from edge.call import Call
from loadstats.batch import BatchHandlers
from loadstats.ledger import Ledger


def test_its_operations_are_whole_lives_that_a_node_takes() -> None:
    ledger = Ledger()
    (route,) = BatchHandlers(ledger).routes()
    ops = list(islice(batch.operations(), 4 * 300))
    data = route.handler(Call(b"", msgspec.json.encode({"ops": ops}), {}))
    assert msgspec.json.decode(data) == [{"code": 200}] * len(ops)
    counts = ledger.counts()
    assert (counts.added, counts.first_tokens, counts.done, counts.in_flight) == (300, 300, 300, 0)
    assert len(ledger.rows("model-a")) == batch.ENGINES


def test_it_tells_every_size_and_every_read() -> None:
    measured = batch.BatchNumbers(
        {10: [3.5, 4.5, 4.0], 10_000: [2.0]},
        {(1000, False): [60.0], (1000, True): [20.0]},
        Latencies.of([500.0, 11_000.0]),
    )
    text = batch.section(measured, 3).markdown("now")
    assert "| 10 | 4.00 (3.50–4.50) | ≤ 3 µs: **missed** |" in text
    assert "| 10,000 | 2.00 (2.00–2.00) | ≤ 3 µs: met |" in text
    assert "| GET, 1,000 engines, unchanged: 304 | 20.0 (20.0–20.0) |" in text
    assert "the last after 11.0 ms (≤ 10 ms: **missed**)" in text
