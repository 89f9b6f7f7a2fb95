# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The TLS contexts of a node, by its configuration: how they are, for /readyz and for Prometheus.

Any thread may read. The thread `tls-watch` calls `look`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from time import time

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from runtime.config import Config
from runtime.config.schema import HttpSettings
from runtime.health import PartState, rfc3339
from runtime.tls import Renewed, peer_context, server_context

# Renewals begin with a third of the life left: thirty days for most. With a week left something is broken.
SOON_SECONDS = 7 * 86400.0


class NodeTls:
    """The contexts of a node that serves TLS.

    `server`: for the API's listener, and for the profiling port where it has TLS.
    `peers`: for calling other nodes.

    `wall` returns seconds since 1970. Raises CertificateFault or OSError.
    """

    def __init__(self, config: Config, wall: Callable[[], float] = time) -> None:
        http, replication = config.http, config.replication
        served = http.cert_file, http.key_file, _client_ca(http)
        self.server = Renewed(_some(served), partial(server_context, *served, http.client_cert))
        shown = (replication.cert_file or http.cert_file, replication.key_file or http.key_file)
        trusted = replication.peer_ca or http.client_ca
        self.peers = Renewed(
            _some((*shown, trusted or http.cert_file)), partial(peer_context, *shown, trusted, http.cert_file)
        )
        self._wall = wall

    def look(self) -> None:
        """Take what has changed."""
        self.server.look()
        self.peers.look()

    @property
    def expires(self) -> dict[str, float]:
        """When each kind of certificate expires, in seconds since 1970."""
        return self.peers.expires | self.server.expires

    @property
    def problem(self) -> str:
        """Why files are not taken; empty if all are."""
        return self.server.problem or self.peers.problem

    def state(self) -> tuple[PartState, str]:
        """Return how the certificates are, as a probe for `Health`."""
        if problem := self.problem:
            return PartState.DEGRADED, f"changed files are not taken, those from before stay: {problem}"
        role, expires = min(self.expires.items(), key=lambda each: each[1])
        left = expires - self._wall()
        if left <= 0:
            return PartState.DEGRADED, f"{role}: expired at {rfc3339(expires)}"
        state = PartState.DEGRADED if left < SOON_SECONDS else PartState.OK
        return state, f"{role}: expires at {rfc3339(expires)}"


class TlsCollector(Collector):
    """The certificates of a node. `tls` is None for one that does not serve TLS: its families are without samples."""

    def __init__(self, tls: NodeTls | None) -> None:
        self._tls = tls

    def collect(self) -> Iterator[Metric]:
        expiry = GaugeMetricFamily(
            "metadata_center_tls_certificate_expiry_timestamp_seconds",
            "When the first certificate of a file expires, in seconds since 1970.",
            labels=["certificate"],
        )
        refused = GaugeMetricFamily(
            "metadata_center_tls_files_refused",
            "1 where changed files are not taken, and the ones from before stay.",
            labels=["context"],
        )
        renewals = CounterMetricFamily(
            "metadata_center_tls_renewals", "How often changed files were taken.", labels=["context"]
        )
        if (tls := self._tls) is not None:
            for role, expires in tls.expires.items():
                expiry.add_metric([role], expires)
            for name, renewed in (("server", tls.server), ("peers", tls.peers)):
                refused.add_metric([name], float(bool(renewed.problem)))
                renewals.add_metric([name], renewed.renewals)
        yield from (expiry, refused, renewals)


def _client_ca(http: HttpSettings) -> str:
    return http.client_ca if http.client_cert != "none" else ""


def _some(files: tuple[str, ...]) -> list[str]:
    return [file for file in files if file]
