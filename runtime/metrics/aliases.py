# SPDX-FileCopyrightText: 2026 Metadata Center contributors
# SPDX-License-Identifier: Apache-2.0
"""The Go version's metric names, kept for existing dashboards: one table from our name to its name. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType

from msgspec import Struct
from prometheus_client import Metric
from prometheus_client.samples import Sample


class Alias(Struct, frozen=True):
    """A metric of the Go version.

    `name`: its name.
    `labels`: its labels, by our names.
    `scale`: how many of its units make one of ours.
    """

    name: str
    labels: Mapping[str, str] = MappingProxyType({})
    scale: float = 1.0


_ENGINE = MappingProxyType({"cluster": "model_name", "engine": "engine_ip"})
_ROUTE = MappingProxyType({"route": "url", "method": "method", "status": "status_code"})

ALIASES: Mapping[str, Alias] = MappingProxyType(
    {
        "metadata_center_cluster_engines": Alias("model_engine_count", _ENGINE),
        "metadata_center_engine_queued_requests": Alias("queued_num", _ENGINE),
        "metadata_center_engine_prompt_length": Alias("prompt_length", _ENGINE),
        "metadata_center_http_requests": Alias("http_request_status_code", _ROUTE),
        "metadata_center_http_request_duration_seconds": Alias("http_request_duration_us", _ROUTE, scale=1e6),
        "metadata_center_node_ready": Alias("metacenter_node_alive"),
        "metadata_center_domain_requests": Alias("domain_requests"),
        "metadata_center": Alias("app_version"),
        "metadata_center_discovery_hosts": Alias("dns_lookup_hosts"),
        "metadata_center_replication_lag_seconds": Alias("replication_latency_ms", scale=1e3),
    }
)


def with_aliases(family: Metric) -> Iterator[Metric]:
    """Return the family, then the Go version's form of it if there is one."""
    yield family
    alias = ALIASES.get(family.name)
    if alias is not None:
        old = Metric(alias.name, f"As {family.name}. {family.documentation}", family.type)
        old.samples = Renamed(family.samples, family.name, alias)  # type: ignore[assignment] # iterated, no more
        yield old


class Renamed:
    """Samples under the Go version's names, made while they are read.

    A list of 10,000 would make work for the garbage collector, whose pauses stop every thread.
    """

    def __init__(self, samples: Iterable[Sample], name: str, alias: Alias) -> None:
        self._samples = samples
        self._name = name
        self._alias = alias

    def __iter__(self) -> Iterator[Sample]:
        return (_renamed(sample, self._name, self._alias) for sample in self._samples)


def _renamed(sample: Sample, name: str, alias: Alias) -> Sample:
    labels = {alias.labels.get(label, label): value for label, value in sample.labels.items()}
    value = sample.value
    if alias.scale != 1.0:
        if "le" in labels and labels["le"] != "+Inf":
            labels["le"] = f"{float(labels['le']) * alias.scale:g}"
        if sample.name.endswith("_sum"):
            value *= alias.scale
    return Sample(alias.name + sample.name.removeprefix(name), labels, value)
