# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""A meter counts each duration in the first bucket whose bound it does not exceed."""

from __future__ import annotations

import pytest

from runtime.metrics.meter import BOUNDS_NS, Meter


@pytest.mark.parametrize("place", range(len(BOUNDS_NS)))
def test_a_bound_belongs_to_its_own_bucket(place: int) -> None:
    meter = Meter()
    for nanoseconds in (BOUNDS_NS[place], BOUNDS_NS[place] + 1):
        meter.record(200, nanoseconds)
    assert [meter.buckets[place], meter.buckets[place + 1], sum(meter.buckets)] == [1, 1, 2]
    assert meter.sum_ns == 2 * BOUNDS_NS[place] + 1


def test_statuses_are_counted_apart() -> None:
    meter = Meter()
    for status in (200, 304, 200):
        meter.record(status, 0)
    assert (meter.statuses, meter.buckets[0]) == ({200: 2, 304: 1}, 3)
