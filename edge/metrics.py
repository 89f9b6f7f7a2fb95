# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What the edge reports to Prometheus. Reads plain counters on the scraping thread and keeps nothing."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from edge.handshakes import Handshakes
from edge.lane_state import LaneState
from edge.quotas import Quotas
from runtime.metrics.aliases import with_aliases
from runtime.metrics.meter import Meter, buckets_in_seconds

_NS = 1e9


class EdgeCollector(Collector):
    """Requests by route, method and status, and how long they took."""

    def __init__(self, lanes: LaneState, handshakes: Handshakes) -> None:
        self._handshakes = handshakes
        self._dispatcher = lanes.dispatcher
        self._server = lanes.server_state
        self._quotas = lanes.quotas

    def collect(self) -> Iterator[Metric]:
        answers = CounterMetricFamily(
            "metadata_center_http_requests", "Requests answered.", labels=["route", "method", "status"]
        )
        durations = HistogramMetricFamily(
            "metadata_center_http_request_duration_seconds",
            "From a request's complete head to its written answer.",
            labels=["route", "method"],
        )
        for (route, method), meter in self._meters().items():
            for status, count in meter.statuses.items():
                answers.add_metric([route, method, str(status)], count)
            durations.add_metric([route, method], buckets_in_seconds(meter), sum_value=meter.sum_ns / _NS)
        yield from with_aliases(answers)
        yield from with_aliases(durations)
        domains = CounterMetricFamily(
            "metadata_center_domain_requests", "Requests by their `domain` query parameter.", labels=["domain"]
        )
        for domain, count in self._dispatcher.domains.items():
            domains.add_metric([domain], count)
        yield from with_aliases(domains)
        yield GaugeMetricFamily(
            "metadata_center_connections", "Open connections of clients.", value=len(self._server.connections)
        )
        yield GaugeMetricFamily(
            "metadata_center_page_tasks", "Requests that Django works on.", value=len(self._server.tasks)
        )

        yield from _quota_metrics(self._quotas)
        yield from self._tls()

    def _tls(self) -> Iterator[Metric]:
        """Yield the families of TLS: zeros where the node serves none."""
        handshakes = self._handshakes
        yield GaugeMetricFamily(
            "metadata_center_tls_handshakes_under_way", "TLS handshakes that are not done yet.", value=len(handshakes)
        )
        yield GaugeMetricFamily(
            "metadata_center_tls_handshakes_waiting",
            "TLS handshakes that have not begun, for their client has many under way.",
            value=handshakes.waiting,
        )
        ended = CounterMetricFamily(
            "metadata_center_tls_handshakes", "TLS handshakes that ended, by how.", labels=["result"]
        )
        for result, number in ({"done": handshakes.done} | handshakes.failed).items():
            ended.add_metric([result], number)
        yield ended

    def _meters(self) -> dict[tuple[str, str], Meter]:
        """Return copies of the meters by route and method. Django may have served a path of the table too."""
        meters = {(route.path, route.method): route.meter.copy() for route in self._dispatcher.table}
        for method, path, meter in self._dispatcher.pages.items():
            meters.setdefault((path, method), Meter()).add(meter)
        return meters


def _quota_metrics(quotas: Quotas) -> Iterator[Metric]:
    """Yield what clients were refused, and what the largest of them holds. No client is a label: they are unbounded."""
    refused = CounterMetricFamily(
        "metadata_center_quota_refused", "Refused because a client had its most, by limit.", labels=["limit"]
    )
    refused.add_metric(["calls"], quotas.calls_refused)
    largest = GaugeMetricFamily(
        "metadata_center_quota_largest_client", "What the client holds that holds most, by limit.", labels=["limit"]
    )
    for places in quotas.kinds():
        refused.add_metric([places.kind], places.refused)
        largest.add_metric([places.kind], max((held for _, held in places.largest(1)), default=0))
    yield refused
    yield largest
    yield GaugeMetricFamily(
        "metadata_center_quota_clients", "Clients that hold a connection.", value=quotas.connections.clients
    )
