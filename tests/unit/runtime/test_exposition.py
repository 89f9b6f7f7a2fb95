# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry, Counter, Histogram, Info, Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.registry import Collector

from runtime.metrics.exposition import SAMPLES, Encode, pieces


class Many(Collector):
    def __init__(self, number: int) -> None:
        self._family = GaugeMetricFamily("many", 'Many "samples"\nof one family.', labels=["name"])
        for each in range(number):
            self._family.add_metric([f'# {each}\n"'], each)

    def collect(self) -> list[Metric]:
        return [self._family]


def registry(number: int) -> CollectorRegistry:
    """Every kind of family, one of them long."""
    found = CollectorRegistry()
    counter = Counter("calls", "Calls.", ["name"], registry=found)  # has _created samples
    histogram = Histogram("seconds", "Durations.", ["name"], registry=found)
    for each in range(SAMPLES):
        counter.labels(str(each)).inc()
        histogram.labels(str(each % 30)).observe(each)
    Info("build", "Version.", registry=found).info({"version": "1"})
    found.register(Many(number))
    return found


@pytest.mark.parametrize("encode", [generate_latest, generate_openmetrics])
@pytest.mark.parametrize("number", [0, 1, SAMPLES, SAMPLES + 1, 5 * SAMPLES])
def test_the_pieces_are_the_whole(encode: Encode, number: int) -> None:
    families = registry(number)
    rests: list[float] = []
    found = list(pieces(families.collect(), encode, rests.append))
    assert b"".join(found) == encode(families)
    assert len(rests) == len(found) - 1 >= 4 + (number - 1) // SAMPLES
