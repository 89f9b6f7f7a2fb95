# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""What the sockets count, and how Prometheus is told. Counted on the event loop, read on the scraping thread."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector


def _zeros(*names: str) -> dict[str, int]:
    return dict.fromkeys(names, 0)


@dataclass(slots=True)
class SocketMeter:
    """Open sockets by stream; the rest since the start. `fell_back`: sockets that missed something and were given a
    snapshot instead. `layer_failures`: messages that the channel layer did not take and that went by themselves."""

    clients: dict[str, int] = field(default_factory=lambda: _zeros("summary", "cluster"))
    sent: dict[str, int] = field(default_factory=lambda: _zeros("snapshot", "changes", "alive"))
    refused: dict[str, int] = field(default_factory=lambda: _zeros("full", "origin", "path", "quota", "key"))
    fell_back: int = 0
    layer_failures: int = 0

    @property
    def open(self) -> int:
        """Sockets that are open."""
        return sum(self.clients.values())


class SocketCollector(Collector):
    """The meter as Prometheus wants it."""

    def __init__(self, meter: SocketMeter) -> None:
        self._meter = meter

    def collect(self) -> Iterator[Metric]:
        meter = self._meter
        clients = GaugeMetricFamily("metadata_center_socket_clients", "Open websockets.", labels=["stream"])
        sent = CounterMetricFamily("metadata_center_socket_messages", "Messages sent to sockets.", labels=["type"])
        refused = CounterMetricFamily("metadata_center_socket_refused", "Sockets refused.", labels=["reason"])
        for family, numbers in ((clients, meter.clients), (sent, meter.sent), (refused, meter.refused)):
            for label, number in numbers.items():
                family.add_metric([label], number)
            yield family
        yield CounterMetricFamily(
            "metadata_center_socket_fell_back",
            "Sockets that missed changes and were given a snapshot instead.",
            value=meter.fell_back,
        )
        yield CounterMetricFamily(
            "metadata_center_socket_layer_failures",
            "Messages that the channel layer did not take; they reached the sockets without it.",
            value=meter.layer_failures,
        )
